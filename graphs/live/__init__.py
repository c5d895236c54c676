"""Live audio over WebSocket: the assistant and speech-to-speech translation. The protocol is docs/live.md."""
