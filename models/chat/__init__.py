"""Chat: streamed answers to conversations."""

from models.chat.settings import ChatSettings, GigaChatSettings, OfflineSettings, OpenAiSettings
from models.chat.types import ChatEngine, ChatUnavailable, Message

__all__ = [
    "ChatEngine",
    "ChatSettings",
    "ChatUnavailable",
    "GigaChatSettings",
    "Message",
    "OfflineSettings",
    "OpenAiSettings",
    "build",
]


def build(settings: ChatSettings) -> ChatEngine:
    """Build the engine that the settings name; it connects when it is first asked.

    Raises:
        ValueError: A secret that it needs is not in the environment; the message names the variable.
    """
    match settings:
        case OfflineSettings():
            from models.chat.offline import OfflineResponder

            return OfflineResponder(settings)
        case OpenAiSettings():
            from models.chat.openai_engine import OpenAiChat

            return OpenAiChat(settings)
        case GigaChatSettings():
            from models.chat.gigachat_engine import GigaChatEngine

            return GigaChatEngine(settings)
