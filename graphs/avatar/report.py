"""Report of a film, as it is stored and served."""

from typing import Literal

from pydantic import Field

from graphs.common.engines import MadeByEngines


class AvatarFilm(MadeByEngines):
    """A film of a speaking avatar."""

    version: Literal[1] = 1
    avatar: str = Field(description="Its id.")
    faces: int = Field(description="Faces in the avatar; the largest speaks.")
    width: int = Field(description="In pixels.")
    height: int = Field(description="In pixels.")
    seconds: float = Field(description="Length of the film.")
    frames: int = Field(description="Pictures, 25 a second.")
    images: int = Field(description="Different ones of the moving part of the face, as the lip-sync engine drew it.")
    shots: int = Field(description="Pieces in which the film was drawn.")
    sample_rate: int = Field(description="Of the speech, in Hz; the film's sound may have another.")
    lipsync_engine: str
    speech_engine: str | None = Field(description="Null where a recording is heard.")
    voice: str | None = Field(description="Null where a recording is heard.")
    language: str | None = Field(description="Of the voice; null where a recording is heard.")
    label: bool = Field(description="Whether the picture says that it is synthetic; the file does in any case.")
    timings: dict[str, float] = Field(
        description="Seconds: `prepare` before the film, `synthesis`, `lipsync` and `encoding` at work, side by side, "
        "`total` of the film, `store` after it."
    )
