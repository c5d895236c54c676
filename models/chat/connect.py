"""Lines that connect a language model in place of the offline responder.

The example is Ollama on the same machine; any server with OpenAI's chat protocol goes in the same way.
"""

URL_VARIABLE = "VOICEGRAPH_CHAT_URL"
MODEL_VARIABLE = "VOICEGRAPH_CHAT_MODEL"
KEY_VARIABLE = "VOICEGRAPH_CHAT_KEY"

_URL = "http://127.0.0.1:11434/v1"
_MODEL = "llama3.2"

COMMAND = f"{URL_VARIABLE}={_URL} {MODEL_VARIABLE}={_MODEL} make run"
"""Command that starts a system on one machine with such a server."""

SETTING = f'assistant: {{chat: {{engine: openai, base_url: "{_URL}", model: {_MODEL}, api_key_variable: null}}}}'
"""Line of YAML that does the same in ``args`` of the applications ``api`` and ``live``."""
