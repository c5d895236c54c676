"""The messages that the chat engine is shown."""

from collections.abc import Sequence
from dataclasses import replace

from models.chat import Message
from storage.sessions import MessageRole, StoredMessage


def conversation(system_prompt: str, history: Sequence[StoredMessage], text: str) -> list[Message]:
    """Return what the chat engine is shown: prompt, history, and the new message.

    The sides take turns, beginning with the user, as chat servers want it: an answer whose question is older than the
    history is left out, and messages of one side that follow each other (a reply may have been interrupted before its
    first word) become one.
    """
    messages = [Message("system", system_prompt)] if system_prompt else []
    for role, content in [*((message.role, message.content) for message in history), ("user", text)]:
        _append(messages, role, content)
    return messages


def _append(messages: list[Message], role: MessageRole, content: str) -> None:
    last = messages[-1] if messages else None
    if last is not None and last.role == role:
        messages[-1] = replace(last, content=f"{last.content}\n{content}")
    elif role == "user" or (last is not None and last.role == "user"):
        messages.append(Message(role, content))
