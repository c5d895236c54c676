"""Settings of the chat engines."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, HttpUrl, NonNegativeFloat, PositiveFloat, PositiveInt, TypeAdapter, field_validator

from models.settings import Settings

_VARIABLE = r"^[A-Z][A-Z0-9_]*$"


def _checked_url(url: str) -> str:
    TypeAdapter(HttpUrl).validate_python(url)
    return url.rstrip("/")


class OfflineSettings(Settings):
    """The offline responder: no language model, and it says so."""

    engine: Literal["offline"] = "offline"


class OpenAiSettings(Settings):
    """Any server with the OpenAI chat protocol: vLLM, llama.cpp, Ollama, OpenAI itself."""

    engine: Literal["openai"] = "openai"
    base_url: str = Field(default="https://api.openai.com/v1", description="Where the server's API begins.")
    model: str = Field(min_length=1, max_length=200, description="The model's name on that server.")
    api_key_variable: str | None = Field(
        default="OPENAI_API_KEY",
        pattern=_VARIABLE,
        description="Environment variable with the server's key; null for a server that wants none.",
    )
    temperature: float = Field(default=0.7, ge=0.0, le=2.0, description="Randomness of the answers.")
    max_tokens: PositiveInt = Field(default=1024, description="Longest answer, in the model's tokens.")
    connect_seconds: PositiveFloat = Field(default=5.0, description="Longest wait for a connection.")
    silence_seconds: PositiveFloat = Field(
        default=60.0, description="Longest wait for the next piece of an answer, the first included."
    )
    max_seconds: PositiveFloat = Field(default=300.0, description="Longest time that one answer may take.")
    max_retries: int = Field(
        default=2, ge=0, le=5, description="Tries after the first, with growing waits, while nothing was answered yet."
    )
    ca_bundle: Path | None = Field(
        default=None, description="File with certificates (PEM) to trust besides the system's own."
    )

    _url = field_validator("base_url")(_checked_url)


class GigaChatSettings(Settings):
    """GigaChat. Its key comes from GIGACHAT_AUTHORIZATION_KEY, or GIGACHAT_CLIENT_ID and GIGACHAT_CLIENT_SECRET."""

    engine: Literal["gigachat"] = "gigachat"
    base_url: str = Field(default="https://api.giga.chat/v1", description="Where the API begins.")
    auth_url: str = Field(
        default="https://ngw.devices.sberbank.ru:9443/api/v2/oauth", description="Where tokens are issued."
    )
    model: str = Field(default="GigaChat-Pro", min_length=1, max_length=200, description="The model's name.")
    scope: str = Field(
        default="GIGACHAT_API_PERS",
        pattern=r"^[A-Z_]+$",
        description="What the key is for: GIGACHAT_API_PERS, GIGACHAT_API_B2B or GIGACHAT_API_CORP.",
    )
    temperature: float = Field(default=0.7, ge=0.0, le=2.0, description="Randomness of the answers.")
    max_tokens: PositiveInt = Field(default=1024, description="Longest answer, in the model's tokens.")
    silence_seconds: PositiveFloat = Field(
        default=60.0, description="Longest wait for a connection, and for the next piece of an answer."
    )
    max_seconds: PositiveFloat = Field(default=300.0, description="Longest time that one answer may take.")
    max_retries: int = Field(
        default=2, ge=0, le=5, description="Tries after the first, while nothing was answered yet."
    )
    first_retry_seconds: NonNegativeFloat = Field(
        default=0.5, description="Wait before the second try; doubled before each further one."
    )
    ca_bundle: Path | None = Field(
        default=None,
        description="File with certificates (PEM) to trust besides the system's own: the Russian root certificate.",
    )

    _urls = field_validator("base_url", "auth_url")(_checked_url)


ChatSettings = Annotated[OfflineSettings | OpenAiSettings | GigaChatSettings, Field(discriminator="engine")]
"""Settings of any engine of this role, told apart by ``engine``."""
