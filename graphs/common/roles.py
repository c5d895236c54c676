"""The roles as a graph sees them, whether behind a Serve handle or in the same process."""

import math
import time
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import aclosing, contextmanager
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from ray import serve
from ray.exceptions import RayActorError, RayTaskError
from ray.serve.exceptions import BackPressureError, DeploymentUnavailableError
from ray.serve.handle import DeploymentHandle

from deployments.batching import QueueFull
from deployments.lipsync import FaceOfAnotherEngine
from models.asr import Segment
from models.diarization import SpeakerTurn
from models.errors import GpuFault, OutOfGpuMemory
from models.lipsync import Patches, Shot
from models.speech import Reference, SpeechChunk, Voice
from models.spoof import SpoofScores
from models.translation import Sentence, Translation
from models.video.types import AvatarKind

# A recording as passed between stages: float32[samples] at 16 kHz, or a reference to one in Ray's object store.
Recording = Any


VOICES_KNOWN_S = 10.0
FINGERPRINT_KNOWN_S = 10.0


@dataclass(frozen=True, slots=True, eq=False)
class SharedFace:
    """A prepared face on its way to whichever replica draws it.

    Attributes:
        key: Names it: equal keys, equal faces.
        reference: Its file, or a reference to that in Ray's object store, which a replica fetches that lacks the face.
    """

    key: str
    reference: Any


class RoleUnavailable(Exception):
    """A role can't take a call now: it has too much to do, or none of its replicas lives.

    Attributes:
        retry_after: Seconds after which it may.
    """

    def __init__(self, message: str, *, retry_after: float = 2.0) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class RoleOutOfMemory(RoleUnavailable):
    """A role's engine has no room for a piece of work on its GPU, though it is as small as it can be made.

    Every request's size is bounded, so the share is too small for what is allowed, or others on the GPU hold more than
    theirs: the service's fault and not the caller's.
    """


@contextmanager
def _errors_of_the_role() -> Iterator[None]:
    """Raise what the role raised, without Ray's wrapping."""
    try:
        yield
    except RayTaskError as error:
        if isinstance(error.cause, QueueFull):
            raise RoleUnavailable(str(error.cause)) from error
        if isinstance(error.cause, OutOfGpuMemory):
            raise RoleOutOfMemory(str(error.cause), retry_after=10.0) from error
        if isinstance(error.cause, GpuFault):
            raise RoleUnavailable(str(error.cause), retry_after=10.0) from error
        if isinstance(error.cause, FaceOfAnotherEngine):
            # The engine is being replaced; who asks again prepares the face for the new one.
            raise RoleUnavailable(str(error.cause), retry_after=10.0) from error
        raise error.cause from error
    except BackPressureError as error:
        raise RoleUnavailable("too many calls are waiting") from error
    except (RayActorError, DeploymentUnavailableError) as error:
        raise RoleUnavailable("no replica can be reached", retry_after=10.0) from error


async def _streamed(stream: Any) -> AsyncGenerator[Any, None]:
    """Yield what a replica yields; it is told when the caller leaves early."""
    ended = False
    try:
        with _errors_of_the_role():
            async for item in stream:
                yield item
        ended = True
    finally:
        if not ended:
            stream.cancel()


class AsrRole(Protocol):
    """Recognises speech, streaming: first the language, then segments in order of time."""

    def transcribe(
        self, recording: Recording, *, language: str | None, correlation_id: str
    ) -> AsyncIterator[str | Segment]:
        """See ``deployments.asr.AsrReplica.transcribe``."""
        ...

    async def languages(self) -> tuple[str, ...]:
        """Return the codes of the languages that it may be asked for."""
        ...


class DiarizationRole(Protocol):
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
        """See ``deployments.diarization.DiarizationReplica.diarize``."""
        ...


class SpoofRole(Protocol):
    """Tells synthetic voices from real ones, chunk by chunk."""

    async def score(
        self, chunks: NDArray[np.float32], lengths: NDArray[np.int64], *, correlation_id: str
    ) -> SpoofScores:
        """See ``deployments.spoof.SpoofReplica.score``; at most 64 chunks a call."""
        ...


class TranslationRole(Protocol):
    """Translates sentences; those of all callers travel together."""

    async def translate(self, sentences: Sequence[Sentence], *, correlation_id: str) -> list[Translation]:
        """See ``deployments.translation.TranslationReplica.translate``."""
        ...

    async def pairs(self) -> Mapping[str, frozenset[str]]:
        """Return the targets by source language."""
        ...


class SpeechRole(Protocol):
    """Speaks, clause by clause."""

    async def voices(self) -> tuple[Voice, ...]:
        """Return all voices, the default of each language before its others."""
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
    ) -> AsyncIterator[SpeechChunk]:
        """See ``deployments.speech.SpeechReplica.synthesize``."""
        ...


class SpeakerRole(Protocol):
    """Maps speech to a vector that is near for the same voice."""

    async def embed(
        self, windows: Sequence[NDArray[np.float32]], *, correlation_id: str
    ) -> tuple[NDArray[np.float32], str]:
        """Return the embeddings, float32[n, D], and the name of the encoder that made them."""
        ...


class LipsyncRole(Protocol):
    """Makes a face speak; the frames of all callers travel together."""

    async def fingerprint(self) -> str:
        """Return what a prepared face depends on besides the avatar."""
        ...

    async def device(self) -> str:
        """Return what the engine computes on: cpu or cuda."""
        ...

    async def prepare(self, avatar: bytes, kind: AvatarKind, *, correlation_id: str) -> bytes:
        """Return the prepared face of an avatar's file, as a file; see ``deployments.lipsync.LipsyncReplica``."""
        ...

    async def animate(self, face: SharedFace, shot: Shot, *, correlation_id: str) -> Patches:
        """Draw a shot; see ``deployments.lipsync.LipsyncReplica``."""
        ...


@dataclass(frozen=True)
class Roles:
    """All roles that answer at once, as the ingress uses them."""

    asr: AsrRole
    translation: TranslationRole
    speech: SpeechRole
    speaker: SpeakerRole
    lipsync: LipsyncRole


@dataclass(frozen=True)
class ServedAsr:
    """The ASR deployment behind its handle."""

    handle: DeploymentHandle[Any]

    async def transcribe(
        self, recording: Recording, *, language: str | None, correlation_id: str
    ) -> AsyncIterator[str | Segment]:
        """Stream the language, then the segments."""
        stream: Any = self.handle.options(stream=True).transcribe.remote(
            recording, language=language, correlation_id=correlation_id
        )
        async with aclosing(_streamed(stream)) as items:
            async for item in items:
                yield item

    async def languages(self) -> tuple[str, ...]:
        """Return the codes of the languages that it may be asked for."""
        with _errors_of_the_role():
            languages: tuple[str, ...] = await self.handle.languages.remote()
            return languages


@dataclass(frozen=True)
class ServedDiarization:
    """The diarization deployment behind its handle."""

    handle: DeploymentHandle[Any]

    async def diarize(
        self,
        recording: Recording,
        *,
        num_speakers: int | None,
        min_speakers: int | None,
        max_speakers: int | None,
        correlation_id: str,
    ) -> tuple[SpeakerTurn, ...]:
        """Return the speaker turns."""
        with _errors_of_the_role():
            turns: tuple[SpeakerTurn, ...] = await self.handle.diarize.remote(
                recording,
                num_speakers=num_speakers,
                min_speakers=min_speakers,
                max_speakers=max_speakers,
                correlation_id=correlation_id,
            )
            return turns


@dataclass(frozen=True)
class ServedSpoof:
    """The spoof deployment behind its handle."""

    handle: DeploymentHandle[Any]

    async def score(
        self, chunks: NDArray[np.float32], lengths: NDArray[np.int64], *, correlation_id: str
    ) -> SpoofScores:
        """Return the chunks' scores."""
        with _errors_of_the_role():
            scores: SpoofScores = await self.handle.score.remote(chunks, lengths, correlation_id=correlation_id)
            return scores


@dataclass(frozen=True)
class ServedTranslation:
    """The translation deployment behind its handle."""

    handle: DeploymentHandle[Any]

    async def translate(self, sentences: Sequence[Sentence], *, correlation_id: str) -> list[Translation]:
        """Return the translations in the order of the sentences."""
        with _errors_of_the_role():
            translations: list[Translation] = await self.handle.translate.remote(
                list(sentences), correlation_id=correlation_id
            )
            return translations

    async def pairs(self) -> Mapping[str, frozenset[str]]:
        """Return the targets by source language."""
        with _errors_of_the_role():
            pairs: Mapping[str, frozenset[str]] = await self.handle.pairs.remote()
            return pairs


class ServedSpeech:
    """The speech deployment behind its handle.

    Args:
        handle: The deployment's.
        clock: Tells the time in seconds.
    """

    def __init__(self, handle: DeploymentHandle[Any], clock: Callable[[], float] = time.monotonic) -> None:
        self.handle = handle
        self._clock = clock
        self._voices: tuple[Voice, ...] = ()
        self._asked_at = -math.inf

    async def voices(self) -> tuple[Voice, ...]:
        """Return all voices, as they were at most ``VOICES_KNOWN_S`` ago: every reply asks for them."""
        if self._clock() - self._asked_at > VOICES_KNOWN_S:
            with _errors_of_the_role():
                self._voices = await self.handle.voices.remote()
            self._asked_at = self._clock()
        return self._voices

    async def synthesize(
        self,
        text: str,
        *,
        voice: Voice,
        language: str,
        speed: float = 1.0,
        reference: Reference | None = None,
        correlation_id: str,
    ) -> AsyncIterator[SpeechChunk]:
        """Stream the speech; goes to a replica that has the voice's model loaded, where there is one."""
        stream: Any = self.handle.options(stream=True, multiplexed_model_id=voice.model).synthesize.remote(
            text, voice=voice, language=language, speed=speed, reference=reference, correlation_id=correlation_id
        )
        async with aclosing(_streamed(stream)) as chunks:
            async for chunk in chunks:
                yield chunk


@dataclass(frozen=True)
class ServedSpeaker:
    """The speaker encoder's deployment behind its handle."""

    handle: DeploymentHandle[Any]

    async def embed(
        self, windows: Sequence[NDArray[np.float32]], *, correlation_id: str
    ) -> tuple[NDArray[np.float32], str]:
        """Return the embeddings and their encoder's name."""
        with _errors_of_the_role():
            embedded: tuple[NDArray[np.float32], str] = await self.handle.embed.remote(
                list(windows), correlation_id=correlation_id
            )
            return embedded


class ServedLipsync:
    """The lip-sync deployment behind its handle.

    Args:
        handle: The deployment's.
        clock: Tells the time in seconds.
    """

    def __init__(self, handle: DeploymentHandle[Any], clock: Callable[[], float] = time.monotonic) -> None:
        self.handle = handle
        self._clock = clock
        self._fingerprint = ""
        self._asked_at = -math.inf

    async def fingerprint(self) -> str:
        """Return the engine's fingerprint, as it was at most ``FINGERPRINT_KNOWN_S`` ago."""
        if self._clock() - self._asked_at > FINGERPRINT_KNOWN_S:
            with _errors_of_the_role():
                self._fingerprint = await self.handle.fingerprint.remote()
            self._asked_at = self._clock()
        return self._fingerprint

    async def device(self) -> str:
        """Return what the engine computes on."""
        with _errors_of_the_role():
            device: str = await self.handle.device.remote()
            return device

    async def prepare(self, avatar: bytes, kind: AvatarKind, *, correlation_id: str) -> bytes:
        """Return the prepared face.

        Raises:
            RoleUnavailable: Another engine made it than the one whose fingerprint was told: one is being replaced.
        """
        told = await self.fingerprint()
        with _errors_of_the_role():
            face: bytes
            face, made_by = await self.handle.prepare.remote(avatar, kind, correlation_id=correlation_id)
        if made_by != told:
            raise RoleUnavailable("the lip-sync engine is being replaced", retry_after=FINGERPRINT_KNOWN_S)
        return face

    async def animate(self, face: SharedFace, shot: Shot, *, correlation_id: str) -> Patches:
        """Draw a shot; it goes to a replica that knows the face, where there is one."""
        with _errors_of_the_role():
            # In a list: Serve would fetch a bare reference before every call, for replicas that have long known it.
            patches: Patches = await self.handle.options(multiplexed_model_id=face.key).animate.remote(
                face.key, [face.reference], shot, correlation_id=correlation_id
            )
            return patches


def served_roles(application: str) -> Roles:
    """Return the roles of a Serve application, for callers in another one."""

    def handle(deployment: str) -> DeploymentHandle[Any]:
        # Serve deploys applications side by side: the other one may come up later.
        return serve.get_deployment_handle(deployment, app_name=application, _check_exists=False)

    return Roles(
        asr=ServedAsr(handle("asr")),
        translation=ServedTranslation(handle("translation")),
        speech=ServedSpeech(handle("speech")),
        speaker=ServedSpeaker(handle("speaker")),
        lipsync=ServedLipsync(handle("lipsync")),
    )
