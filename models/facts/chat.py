"""Facts of the chat engines."""

from models.chat.connect import COMMAND, SETTING
from models.facts.types import Better, EngineFacts

FACTS = (
    EngineFacts(
        "offline",
        "Offline responder",
        not_measured="It is no language model: there is nothing to measure.",
        licence="MIT",
        notice="The offline responder answers: it is no language model, tells the time and the date, and repeats "
        "anything else.",
        better=Better("Ollama or any OpenAI-compatible server", "server", SETTING, COMMAND),
    ),
    EngineFacts("openai", "Chat server", not_measured="The model is the server's: it was not measured here."),
    EngineFacts("gigachat", "GigaChat", not_measured="The model is the server's: it was not measured here."),
)
