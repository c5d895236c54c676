"""The speech translation graph as a durable job: from an object's key to a stored report and translated audio."""

import asyncio
import time
from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import structlog
from numpy.typing import NDArray

from graphs.common.config import RecordingLimits
from graphs.common.engines import engines_behind
from graphs.common.progress import Progress, result_of
from graphs.common.recordings import SharedRecording, audio_limits, decode_recording, result_key
from graphs.common.roles import Role
from graphs.common.voices import Speaker, Speakers
from graphs.common.waveform import store_waveform
from graphs.translation.audio import AudioFile
from graphs.translation.graph import AudioMade, SpeechTranslationGraph, TranslationEvent, UtteranceTranslated
from graphs.translation.report import SpeechTranslation
from models.audio import Waveform
from models.audio.encoding import AudioFormat, SyntheticMark, extension_of
from storage.jobs import Attempt, Job, JobResult
from storage.objects import ObjectStore

ARTIFACT = "translation.json"
DEFAULT_FORMAT: AudioFormat = "wav"
_DECODED = 0.05
_TRANSLATED = 0.97

_log = structlog.get_logger()


def audio_artifact(options: dict[str, Any]) -> str | None:
    """Return the name of the translated audio by a job's options, None where nothing should be spoken."""
    if not options.get("speak", True):
        return None
    return f"translation.{extension_of(options.get('audio_format', DEFAULT_FORMAT))}"


@dataclass(frozen=True)
class SpeechTranslationJob:
    """Runs one attempt at a speech translation job.

    Args:
        graph: The graph over its roles.
        objects: Where recordings, reports and audio lie.
        limits: Bounds of a recording.
        share: Puts samples where all processes can read them without a copy each.
        speakers: Finds who speaks.
    """

    graph: SpeechTranslationGraph
    objects: ObjectStore
    limits: RecordingLimits
    share: Callable[[NDArray[np.float32]], SharedRecording]
    speakers: Speakers

    async def __call__(self, attempt: Attempt) -> JobResult:
        """Decode, translate, store; raises InputError for what can't be used."""
        job = attempt.job
        _log.info("speech translation start", upload_id=str(job.id), attempt=attempt.fence)
        await attempt.progress("decode", 0.0)
        started = time.monotonic()
        waveform = Waveform()
        recording = await self._recording(job, waveform)
        decoded = round(time.monotonic() - started, 3)
        await attempt.progress("translate", _DECODED)
        made_by = await engines_behind(self._roles(job))
        async with AsyncExitStack() as files:
            report, audio_key = await self._translate(attempt, recording, files)
        report = report.model_copy(update={"timings": {"decode": decoded, **report.timings}, **dict(made_by)})
        key = result_key(job.id, attempt.fence, ARTIFACT)
        body = report.model_dump_json().encode()
        await asyncio.to_thread(self.objects.put, key, body, content_type="application/json")
        outline = await store_waveform(self.objects, attempt, waveform)
        _log.info("speech translation complete", upload_id=str(job.id), seconds=report.timings)
        return JobResult(result=_summary(report, key, audio_key, outline), timings=report.timings)

    def _roles(self, job: Job) -> dict[str, Role]:
        roles: dict[str, Role] = {"asr": self.graph.asr, "translation": self.graph.translation.role}
        if job.params["options"].get("speak", True):
            roles["speech"] = self.graph.speech
        return roles

    async def _recording(self, job: Job, waveform: Waveform) -> SharedRecording:
        assert job.input_key is not None
        limits = audio_limits(self.limits, bool(job.params["options"].get("allow_truncated", False)))
        pcm = await decode_recording(self.objects, job.input_key, limits, waveform)
        return await asyncio.to_thread(self.share, pcm)

    async def _translate(
        self, attempt: Attempt, recording: SharedRecording, files: AsyncExitStack
    ) -> tuple[SpeechTranslation, str | None]:
        """Return the report, and the key of the audio where there is one."""
        job = attempt.job
        asked = job.params["options"]
        speaker = await self._speaker(job)
        file: AudioFile | None = None
        if speaker is not None:
            mark = SyntheticMark(engine=speaker.voice.engine, voice=speaker.name)
            file = await files.enter_async_context(
                AudioFile(asked.get("audio_format", DEFAULT_FORMAT), speaker.voice.sample_rate, mark)
            )
        events = self.graph.run(
            recording,
            source=asked.get("source"),
            target=asked["target"],
            speaker=speaker,
            correlation_id=job.correlation_id,
        )
        report = await result_of(events, SpeechTranslation, partial(_tell, attempt, file))
        name = audio_artifact(asked)
        if file is None or name is None:
            return report, None
        key = result_key(job.id, attempt.fence, name)
        stored = await file.store(self.objects, key)
        await attempt.event("audio", {"name": name, "bytes": stored.size})
        return report, key

    async def _speaker(self, job: Job) -> Speaker | None:
        asked = job.params["options"]
        if not asked.get("speak", True):
            return None
        return await self.speakers.find(job.owner_id, asked.get("voice"), asked["target"], language_field="target")


async def _tell(attempt: Attempt, file: AudioFile | None, event: TranslationEvent) -> None:
    """Write what an event of the graph says to the job's event log, and its audio to the file."""
    match event:
        case AudioMade(samples):
            assert file is not None, "without a speaker there is no audio"
            await file.write(samples)
        case UtteranceTranslated(utterance):
            await attempt.event("utterance", utterance.model_dump(mode="json"))
        case Progress(fraction):
            await attempt.progress("translate", round(_DECODED + (_TRANSLATED - _DECODED) * fraction, 4))


def _summary(
    report: SpeechTranslation, artifact: str, audio_object: str | None, waveform_object: str
) -> dict[str, Any]:
    """Return the report without its utterances, and how many those are."""
    return {
        "artifact": artifact,
        "audio_object": audio_object,
        "waveform_object": waveform_object,
        **report.model_dump(mode="json", exclude={"version", "utterances"}),
        "utterances": len(report.utterances),
        "suspect": sum(utterance.suspect for utterance in report.utterances),
        "speakers": [],
    }
