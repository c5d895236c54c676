"""The roles that graphs are made of, behind a Serve handle or in the same process; needs no Ray.

A role's replica (``deployments``) and its client have these methods; the tests' fakes, too. What is common to all:

``correlation_id`` is put into the call's log lines. Where a role gathers the work of its callers into batches, calls
that share it share one caller's part of the engine. Replicas know a default for it, and for what is None in most calls.

Every method raises ``deployments.errors.RoleUnavailable`` where the role can't take the call now, and
``RoleOutOfMemory`` where its GPU has no room for the work. A replica raises ``QueueFull``, ``FaceOfAnotherEngine``,
``GpuFault`` and ``OutOfGpuMemory``, of which its client makes these two.
"""

from collections.abc import AsyncGenerator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from deployments.references import Recording, SharedFace
from models.asr import Segment
from models.diarization import SpeakerTurn
from models.facts import EngineInUse
from models.lipsync import Patches, Shot
from models.speech import Reference, SpeechChunk, Voice
from models.spoof import SpoofScores
from models.translation import Sentence, Translation
from models.video.types import AvatarKind


class Role(Protocol):
    """Any role."""

    async def in_use(self) -> EngineInUse:
        """Return its engine, and what is to be said of the results; a client's answer is a few seconds old."""
        ...


class AsrRole(Role, Protocol):
    """Recognises speech."""

    def transcribe(
        self,
        recording: Recording,
        *,
        language: str | None,
        hotwords: str | None = None,
        prompt: str | None = None,
        correlation_id: str,
    ) -> AsyncGenerator[str | Segment, None]:
        """Recognise a recording, segment by segment.

        Args:
            recording: Mono float32 at 16 kHz, shape [samples]; a client takes a reference to it, too.
            language: ISO 639-1 code, or None to let the engine choose.
            hotwords: Names and terms to expect; None for those of the engine's settings.
            prompt: Text whose spelling and style the transcript goes on with; None likewise.
            correlation_id: See above.

        Yields:
            First the language, then the segments in order of time.

        Raises:
            InputError: The engine does not know the language, or refuses the hints as ``check_hints`` does.
        """
        ...

    async def languages(self) -> tuple[str, ...]:
        """Return the codes of the languages that it may be asked for."""
        ...

    async def check_hints(self, *, hotwords: str | None, prompt: str | None) -> None:
        """Check what ``transcribe`` may be told.

        Raises:
            InputError: The engine takes no such hints (``unsupported_option``), not these (``invalid_value``) or not
                this much (``too_long``); the field is ``hotwords`` or ``prompt``.
        """
        ...


class DiarizationRole(Role, Protocol):
    """Finds who spoke when."""

    async def diarize(
        self,
        recording: Recording,
        *,
        num_speakers: int | None,
        min_speakers: int | None,
        max_speakers: int | None,
        correlation_id: str,
    ) -> tuple[SpeakerTurn, ...]:
        """Return the turns of a recording's speakers.

        Args:
            recording: Mono float32 at 16 kHz, shape [samples]; a client takes a reference to it, too.
            num_speakers: Speakers that there are, or None to let the engine count them.
            min_speakers: Fewest that it may count.
            max_speakers: Most that it may count.
            correlation_id: See above.

        Raises:
            InputError: The bounds can't be met; see ``models.diarization.Diarizer``.
        """
        ...


class SpoofRole(Role, Protocol):
    """Tells synthetic voices from real ones, chunk by chunk."""

    async def score(
        self, chunks: NDArray[np.float32], lengths: NDArray[np.int64], *, correlation_id: str
    ) -> SpoofScores:
        """Score chunks of a recording.

        Args:
            chunks: Mono float32 at 16 kHz, shape [n, 64000] with n up to 64, zero after a short chunk's end.
            lengths: Samples of each chunk that are the recording's, shape [n], 1 to 64000.
            correlation_id: See above.

        Returns:
            Calibrated P(spoof) of each chunk, and the bands in force.

        Raises:
            ValueError: The arrays are not as described.
        """
        ...


class SpeakerRole(Role, Protocol):
    """Maps speech to a vector that is near for the same voice."""

    async def embed(
        self, windows: Sequence[NDArray[np.float32]], *, correlation_id: str
    ) -> tuple[NDArray[np.float32], str]:
        """Embed stretches of speech, each on its own.

        Args:
            windows: Up to 64, mono float32 at 16 kHz each, shape [samples], at least 0.4 s and together at most 300 s.
            correlation_id: See above.

        Returns:
            L2-normalised embeddings, float32[len(windows), D], and the name of the encoder: only embeddings of one name
            can be compared.

        Raises:
            InputError: A window is too short (``too_short``).
            ValueError: The windows are not as described.
        """
        ...


class TranslationRole(Role, Protocol):
    """Translates sentences; those of all callers travel together."""

    async def translate(self, sentences: Sequence[Sentence], *, correlation_id: str) -> list[Translation]:
        """Translate sentences, each on its own; they may be of different pairs.

        Args:
            sentences: Up to 512.
            correlation_id: See above.

        Returns:
            The translations in the order of the sentences.

        Raises:
            InputError: The engine lacks a pair (``unsupported_pair``), or can't take a sentence (``too_long``,
                ``untranslatable``).
            ValueError: There are too many sentences.
        """
        ...

    async def pairs(self) -> Mapping[str, frozenset[str]]:
        """Return the targets by source language."""
        ...


class SpeechRole(Role, Protocol):
    """Speaks, clause by clause."""

    async def voices(self) -> tuple[Voice, ...]:
        """Return all voices, the default of each language before its others; a client's are a few seconds old."""
        ...

    def synthesize(
        self,
        text: str,
        *,
        voice: Voice,
        language: str,
        speed: float = 1.0,
        reference: Reference | None = None,
        correlation_id: str,
    ) -> AsyncGenerator[SpeechChunk, None]:
        """Speak a text, clause by clause.

        Args:
            text: As people write it, up to 20,000 characters.
            voice: One of ``voices()``.
            language: One of the voice's languages.
            speed: 1.0 is the voice's own; 0.25 to 4.
            reference: Whom to sound like; None for a voice that does not clone.
            correlation_id: See above.

        Yields:
            Speech as it is made, the first of it when the first clause begins.

        Raises:
            InputError: The text is too long (field ``text``), the voice not one of the engine's (``voice``), the
                language not one of the voice's (``language``), the speed out of range (``speed``), or the reference
                can't be used (``reference``).
            MissingWeights: The voice's model is not on this machine.
        """
        ...


class LipsyncRole(Role, Protocol):
    """Makes a face speak; the frames of all callers travel together."""

    async def fingerprint(self) -> str:
        """Return what a prepared face depends on besides the avatar; a client's is a few seconds old."""
        ...

    async def device(self) -> str:
        """Return what the engine computes on: cpu or cuda."""
        ...

    async def prepare(self, avatar: bytes, kind: AvatarKind, *, correlation_id: str) -> tuple[bytes, str]:
        """Do all that can be done for an avatar without speech.

        Args:
            avatar: The file of ``models.video.types.AvatarFile``.
            kind: What it is.
            correlation_id: See above.

        Returns:
            A file for ``models.lipsync.PreparedFace.from_bytes``, and the fingerprint of the engine that made it, which
            may be newer than what ``fingerprint`` returned.

        Raises:
            InputError: There is no face in it that can be used (field ``file``).
            ValueError: The file is too large.
        """
        ...

    async def animate(self, face: SharedFace, shot: Shot, *, correlation_id: str) -> Patches:
        """Draw a shot.

        Args:
            face: Prepared by the engine in force; its file is asked for only by a replica that does not know its key.
            shot: Up to 250 frames, and the speech around them.
            correlation_id: See above.

        Raises:
            ValueError: The shot is not as described.
        """
        ...


@dataclass(frozen=True, kw_only=True)
class Roles:
    """All roles, as the ingress, the job worker and the live application use them."""

    asr: AsrRole
    diarization: DiarizationRole
    spoof: SpoofRole
    speaker: SpeakerRole
    translation: TranslationRole
    speech: SpeechRole
    lipsync: LipsyncRole
