"""The body of GET /v1/engines."""

from pydantic import BaseModel, ConfigDict, Field

from models.facts import RoleName
from models.facts.types import Condition, Measure, Need


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", from_attributes=True)


class MeasurementBody(_Part):
    """A measured number."""

    measure: Measure = Field(
        description="What was measured; of all but `mouth_sound_correlation` less is better. `unintelligible_words` is "
        "the share of the words of a spoken text that a recogniser hears wrong."
    )
    value: float = Field(description="A share from 0 to 1.")
    highest: float | None = Field(description="Upper end of a range that begins with `value`.")
    language: str | None = Field(description="ISO 639-1 code of the speech; null where it depends on none.")
    condition: Condition = Field(description="Kind of input, or of listener.")
    data: str = Field(description="Proper name of the data; empty where it has none.")
    sample: str = Field(description="Size of the data, and what else is to be known of it.")
    by: str = Field(description="Command that measures it.")


class BetterBody(_Part):
    """A better engine than the one in use."""

    title: str
    needs: Need | None = Field(description="What it takes; null for nothing but the setting.")
    setting: str = Field(
        description="Line of YAML for the `args` of the application `graphs`; of `api` and `live` for `chat`."
    )
    command: str | None = Field(description="Command that does the same for a system on one machine.")


class EngineBody(_Part):
    """An engine, and how good it is."""

    engine: str = Field(description="As in the configuration.")
    title: str = Field(description="Its proper name.")
    model: str | None = Field(description="Name of its weights, without path or host; null where it has its own.")
    device: str = Field(description="cpu, cuda, or server for an engine that calls one.")
    licence: str | None = Field(description="Of the weights; null where it is not known.")
    quality: list[MeasurementBody] = Field(description="The most telling first; empty where nothing was measured.")
    not_measured: str | None = Field(description="Why nothing was measured.")
    notice: str | None = Field(description="What to know before its results are relied on.")
    stands_in: bool = Field(description="It takes the place of a configured engine that could not be had.")
    better: BetterBody | None = Field(description="What to configure instead; null where nothing better is known.")


class RoleEngineBody(EngineBody):
    """The engine of a role."""

    role: RoleName
    languages: int | None = Field(description="How many it knows; null where it depends on none, or on a server.")
    parts: list[EngineBody] = Field(description="Engines that it consists of, where it combines several.")


class EnginesBody(_Part):
    """The engines of all roles."""

    engines: list[RoleEngineBody]
    unavailable: list[RoleName] = Field(description="Roles that could not be asked now.")
