"""The local system's settings from the environment, and the keys that it keeps in its data folder."""

import os
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError

from models.chat import OpenAiSettings
from models.chat.connect import KEY_VARIABLE, MODEL_VARIABLE, URL_VARIABLE

DEFAULT_PORT = 8000
DEFAULT_GRPC_PORT = 50052
KEY_FILE = "api-key"


class StartError(Exception):
    """The system can't start; the message says what to do."""


@dataclass(frozen=True)
class Environment:
    """Settings of a local run.

    Attributes:
        port: TCP port of the HTTP ingress (VOICEGRAPH_PORT).
        data: Folder of database, objects and keys (VOICEGRAPH_DATA).
        admin_key: The operator's key (VOICEGRAPH_ADMIN_KEY).
        admin_key_given: Whether the user set it, so that it needn't be printed.
        grpc_port: TCP port of the gRPC service (VOICEGRAPH_GRPC_PORT); None for 50052 or, if that is taken, any other.
        chat: The chat server (VOICEGRAPH_CHAT_URL, VOICEGRAPH_CHAT_MODEL, VOICEGRAPH_CHAT_KEY); None for what the
            configuration says.
    """

    port: int
    data: Path
    admin_key: str
    admin_key_given: bool
    grpc_port: int | None = None
    chat: OpenAiSettings | None = None


def read_environment(variables: Mapping[str, str], default_data: Path) -> Environment:
    """Read and check the variables.

    Raises:
        StartError: A value can't be used.
    """
    port = _port(variables, "VOICEGRAPH_PORT")
    admin_key = variables.get("VOICEGRAPH_ADMIN_KEY", "")
    if admin_key and len(admin_key) < 16:
        raise StartError("VOICEGRAPH_ADMIN_KEY is too short: use at least 16 characters, or leave it unset")
    data = Path(variables.get("VOICEGRAPH_DATA") or default_data).expanduser().resolve()
    return Environment(
        port if port is not None else DEFAULT_PORT,
        data,
        admin_key or secrets.token_urlsafe(24),
        bool(admin_key),
        _port(variables, "VOICEGRAPH_GRPC_PORT"),
        _chat(variables),
    )


def _chat(variables: Mapping[str, str]) -> OpenAiSettings | None:
    url, model, key = (variables.get(name, "").strip() for name in (URL_VARIABLE, MODEL_VARIABLE, KEY_VARIABLE))
    if not url:
        for name, value in ((MODEL_VARIABLE, model), (KEY_VARIABLE, key)):
            if value:
                raise StartError(f"{name} is set, but {URL_VARIABLE}, the chat server's address, is not")
        return None
    if not model:
        raise StartError(f"{URL_VARIABLE} is set, but {MODEL_VARIABLE}, the model's name on that server, is not")
    try:
        return OpenAiSettings(base_url=url, model=model, api_key_variable=KEY_VARIABLE if key else None)
    except ValidationError as error:
        fault = error.errors()[0]
        name = URL_VARIABLE if fault["loc"] == ("base_url",) else MODEL_VARIABLE
        raise StartError(f"{name}: {fault['msg']}") from None


def _port(variables: Mapping[str, str], name: str) -> int | None:
    port = variables.get(name)
    if not port:
        return None
    if not (port.isdigit() and 1 <= int(port) <= 65535):
        raise StartError(f"{name} is {port!r}; it must be a port number from 1 to 65535")
    return int(port)


def kept_api_key(data: Path) -> str:
    """Return the API key of the local user, made at the first start and readable by its user only."""
    file = data / KEY_FILE
    try:
        return file.read_text(encoding="ascii").strip()
    except FileNotFoundError:
        key = f"vg_{secrets.token_urlsafe(24)}"
        descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w", encoding="ascii") as kept:
            kept.write(f"{key}\n")
        return key
