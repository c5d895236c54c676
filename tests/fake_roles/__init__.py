"""Every role without a model: one fake each, which the tests order to wait, to fail and to say what they need."""

from dataclasses import fields
from typing import TYPE_CHECKING, Any

from fake_roles.asr import FakeAsr, numbered
from fake_roles.chat import FakeChat, last_message
from fake_roles.diarization import FakeDiarization
from fake_roles.lipsync import FakeLipsync
from fake_roles.sound import find_speech, said, silence, voice
from fake_roles.speaker import FakeSpeaker
from fake_roles.speech import FakeSpeech
from fake_roles.spoof import FakeSpoof
from fake_roles.translation import FakeTranslation
from graphs.common.roles import Roles

__all__ = [
    "ABSENT",
    "Absent",
    "FakeAsr",
    "FakeChat",
    "FakeDiarization",
    "FakeLipsync",
    "FakeSpeaker",
    "FakeSpeech",
    "FakeSpoof",
    "FakeTranslation",
    "find_speech",
    "last_message",
    "numbered",
    "said",
    "silence",
    "voice",
]


class Absent:
    """A role that nobody should call."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        raise AssertionError(f"a role was called: {name}")


if TYPE_CHECKING:
    # The fakes have the roles' methods, too.
    Roles(
        asr=FakeAsr(),
        diarization=FakeDiarization(),
        spoof=FakeSpoof(),
        speaker=FakeSpeaker(),
        translation=FakeTranslation(),
        speech=FakeSpeech(),
        lipsync=FakeLipsync(),
    )

_absent: Any = Absent()
ABSENT = Roles(**{role.name: _absent for role in fields(Roles)})
"""Roles that fail the test that calls one; put those of the test in their place with ``dataclasses.replace``."""
