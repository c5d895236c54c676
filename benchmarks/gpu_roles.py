"""The seven roles as the benchmark of a GPU deploys them, and the same work for each served and bare."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypeVar

import numpy as np
from numpy.typing import NDArray

from benchmarks import gpu_checkpoints as checkpoints
from benchmarks.gpu_checkpoints import Sizes
from benchmarks.running import dialogue
from benchmarks.translation import sentences
from deployments.asr import AsrClient, asr_deployment
from deployments.diarization import DiarizationClient, diarization_deployment
from deployments.lipsync import LipsyncClient, lipsync_deployment
from deployments.references import SharedFace
from deployments.speaker import SpeakerClient, speaker_deployment
from deployments.speech import SpeechClient, speech_deployment
from deployments.spoof import SpoofClient, spoof_deployment
from deployments.translation import TranslationClient, translation_deployment
from models import asr, diarization, lipsync, speaker, speech, spoof, translation
from models.audio import SAMPLE_RATE
from models.speaker import EcapaSettings
from models.spoof import CHUNK_SAMPLES, WavLmSettings
from models.translation import CTranslate2Settings

Device = Literal["cpu", "cuda"]
Item = TypeVar("Item")

FRACTIONS = {
    "asr": 0.28,
    "diarization": 0.14,
    "spoof": 0.12,
    "speaker": 0.06,
    "translation": 0.12,
    "speech": 0.08,
    "lipsync": 0.12,
}
"""Of a GPU with 22 GiB: together 0.92."""


@dataclass(frozen=True)
class Load:
    """Amount of work for each role in one round.

    Attributes:
        callers: That ask at once, each for one thing after another.
        requests: Of each caller.
        seconds: Of one recording.
    """

    callers: int
    requests: int
    seconds: float


@dataclass(frozen=True)
class Role:
    """A role, and one round of work for it.

    Attributes:
        name: Of the deployment.
        unit: What the work is counted in.
        deployment: Of Serve, bound to its settings.
        settings: Of the engine.
        build: Makes the bare engine.
        bare: Does the work with it, as many calls at once as the deployment makes; returns how much it was.
        served: Does the work through the deployment's handle; likewise.
    """

    name: str
    unit: str
    deployment: Callable[[dict[str, Any]], Any]
    settings: Any
    build: Callable[[], Any]
    bare: Callable[[Any], float]
    served: Callable[[Any], Awaitable[float]]


def roles(folder: Path, sizes: Sizes, device: Device, load: Load) -> list[Callable[[], Role]]:
    """Return what makes each role, its checkpoint in the folder: one after the other, they need much memory."""
    makers = (_asr, _diarization, _spoof, _speaker, _translation, _speech, _lipsync)
    return [lambda make=make: make(folder / make.__name__.strip("_"), sizes, device, load) for make in makers]  # type: ignore[misc]


def _bound(deployment: Any, *arguments: Any) -> Callable[[dict[str, Any]], Any]:
    return lambda resources: deployment.options(ray_actor_options=resources).bind(*arguments)


def _in_threads(count: int, work: Callable[[Item], float], items: Sequence[Item]) -> float:
    with ThreadPoolExecutor(count) as pool:
        return sum(pool.map(work, items))


async def _by_callers(load: Load, request: Callable[[int, int], Awaitable[float]]) -> float:
    """Let every caller make its requests, told by caller and number; return how much they were together."""

    async def caller(number: int) -> float:
        return sum([await request(number, at) for at in range(load.requests)])

    return sum(await asyncio.gather(*map(caller, range(load.callers))))


def _recordings(load: Load, seconds: float) -> list[list[NDArray[np.float32]]]:
    """Return each caller's recordings: the bundled dialogue, each from another place on."""
    talk = dialogue(seconds)
    return [
        [np.roll(talk, 9973 * (caller * load.requests + at)) for at in range(load.requests)]
        for caller in range(load.callers)
    ]


def _flat(nested: list[list[Item]]) -> list[Item]:
    return [item for inner in nested for item in inner]


def _asr(folder: Path, sizes: Sizes, device: Device, load: Load) -> Role:
    model = checkpoints.write_whisper(folder, sizes)
    settings = asr.FasterWhisperSettings(model=str(model), device=device, language="en")
    concurrency = 2
    recordings = _recordings(load, load.seconds)

    def bare(engine: Any) -> float:
        def work(pcm: NDArray[np.float32]) -> float:
            return len(pcm) / SAMPLE_RATE if list(engine.transcribe(pcm).segments) else 0.0

        return _in_threads(concurrency, work, _flat(recordings))

    async def served(handle: Any) -> float:
        role = AsrClient(handle)

        async def request(caller: int, at: int) -> float:
            pcm = recordings[caller][at]
            heard = [item async for item in role.transcribe(pcm, language=None, correlation_id=f"caller-{caller}")]
            return len(pcm) / SAMPLE_RATE if len(heard) > 1 else 0.0

        return await _by_callers(load, request)

    bound = _bound(asr_deployment, settings, concurrency, "WARNING")
    return Role("asr", "seconds of audio", bound, settings, lambda: asr.build(settings), bare, served)


def _diarization(folder: Path, sizes: Sizes, device: Device, load: Load) -> Role:
    pipeline, segmentation, embedding = checkpoints.write_pyannote(folder)
    settings = diarization.PyannoteSettings(
        model=str(pipeline), segmentation=str(segmentation), embedding=str(embedding), device=device
    )
    concurrency = 2
    recordings = _recordings(load, load.seconds)

    def bare(engine: Any) -> float:
        def work(pcm: NDArray[np.float32]) -> float:
            engine.diarize(pcm)
            return len(pcm) / SAMPLE_RATE

        return _in_threads(concurrency, work, _flat(recordings))

    async def served(handle: Any) -> float:
        role = DiarizationClient(handle)

        async def request(caller: int, at: int) -> float:
            pcm = recordings[caller][at]
            await role.diarize(
                pcm, num_speakers=None, min_speakers=None, max_speakers=None, correlation_id=f"caller-{caller}"
            )
            return len(pcm) / SAMPLE_RATE

        return await _by_callers(load, request)

    bound = _bound(diarization_deployment, settings, concurrency, "WARNING")
    return Role("diarization", "seconds of audio", bound, settings, lambda: diarization.build(settings), bare, served)


def _spoof(folder: Path, sizes: Sizes, device: Device, load: Load) -> Role:
    checkpoint, backbone = checkpoints.write_wavlm(folder, sizes)
    settings = WavLmSettings(checkpoint=str(checkpoint), backbone=str(backbone), device=device)
    batch, concurrency, call = 32, 2, 16
    recordings = _recordings(load, call * CHUNK_SAMPLES / SAMPLE_RATE)
    chunks = [[pcm.reshape(-1, CHUNK_SAMPLES) for pcm in each] for each in recordings]

    def lengths(part: NDArray[np.float32]) -> NDArray[np.int64]:
        return np.full(len(part), CHUNK_SAMPLES, np.int64)

    def bare(engine: Any) -> float:
        together = np.concatenate(_flat(chunks))
        parts = [together[start : start + batch] for start in range(0, len(together), batch)]
        return _in_threads(concurrency, lambda part: float(len(engine.score(part, lengths(part)))), parts)

    async def served(handle: Any) -> float:
        role = SpoofClient(handle)

        async def request(caller: int, at: int) -> float:
            part = chunks[caller][at]
            return float(len((await role.score(part, lengths(part), correlation_id=f"caller-{caller}")).p_spoof))

        return await _by_callers(load, request)

    bound = _bound(spoof_deployment, settings, batch, 5.0, concurrency, "WARNING")
    return Role("spoof", "chunks of 4 s", bound, settings, lambda: spoof.build(settings), bare, served)


def _speaker(folder: Path, sizes: Sizes, device: Device, load: Load) -> Role:
    settings = EcapaSettings(model=str(checkpoints.write_ecapa(folder, sizes)), device=device)
    concurrency, windows, window = 2, 16, 3 * SAMPLE_RATE
    recordings = _recordings(load, windows * window / SAMPLE_RATE)
    calls = [[list(pcm.reshape(-1, window)) for pcm in each] for each in recordings]

    def bare(engine: Any) -> float:
        return _in_threads(concurrency, lambda call: float(len(engine.embed(call))), _flat(calls))

    async def served(handle: Any) -> float:
        role = SpeakerClient(handle)

        async def request(caller: int, at: int) -> float:
            return float(len((await role.embed(calls[caller][at], correlation_id=f"caller-{caller}"))[0]))

        return await _by_callers(load, request)

    bound = _bound(speaker_deployment, settings, concurrency, "WARNING")
    return Role("speaker", "windows of 3 s", bound, settings, lambda: speaker.build(settings), bare, served)


def _translation(folder: Path, sizes: Sizes, device: Device, load: Load) -> Role:
    model = checkpoints.write_m2m100(folder, sizes)
    settings = CTranslate2Settings(
        models=(str(model),),
        device=device,
        compute_type="int8_float16" if device == "cuda" else "int8",
        max_new_tokens=32,
    )
    tokens, concurrency, call = 2048, 2, 8
    asked = sentences(call * load.callers * load.requests)

    def part(caller: int, at: int) -> Any:
        start = call * (caller * load.requests + at)
        return asked[start : start + call]

    def bare(engine: Any) -> float:
        batches: list[list[Any]] = [[]]
        room = float(tokens)
        for sentence in asked:
            if batches[-1] and engine.cost(sentence) > room:
                batches.append([])
                room = tokens
            batches[-1].append(sentence)
            room -= engine.cost(sentence)
        return _in_threads(concurrency, lambda batch: float(sum(d.tokens for d in engine.translate(batch))), batches)

    async def served(handle: Any) -> float:
        role = TranslationClient(handle)

        async def request(caller: int, at: int) -> float:
            done = await role.translate(part(caller, at), correlation_id=f"caller-{caller}")
            return float(sum(each.tokens for each in done))

        return await _by_callers(load, request)

    bound = _bound(translation_deployment, settings, tokens, 25.0, concurrency, "WARNING")
    return Role("translation", "tokens", bound, settings, lambda: translation.build(settings), bare, served)


def _speech(folder: Path, sizes: Sizes, device: Device, load: Load) -> Role:
    settings = speech.VitsSettings(models={"en": str(checkpoints.write_vits(folder, sizes))}, device=device)
    concurrency, text = 4, "The man who reads in the garden has a dog that sleeps behind the old church. "

    def seconds(chunks: Sequence[speech.SpeechChunk]) -> float:
        return sum(len(chunk.samples) / chunk.sample_rate for chunk in chunks)

    loaded: list[Any] = []

    def bare(engine: Any) -> float:
        voice = engine.voices[0]
        if not loaded:
            # In the warm-up, as the deployment does.
            loaded.append(engine.load(voice.model))
        model = loaded[0]

        def work(_number: int) -> float:
            spoken = speech.speak(model, text, voice=voice, language="en", speed=1.0, reference=None)
            return seconds(list(spoken))

        return _in_threads(concurrency, work, range(load.callers * load.requests))

    async def served(handle: Any) -> float:
        role = SpeechClient(handle)
        voice = (await role.voices())[0]

        async def request(caller: int, at: int) -> float:
            spoken = role.synthesize(text, voice=voice, language="en", correlation_id=f"caller-{caller}")
            return seconds([chunk async for chunk in spoken])

        return await _by_callers(load, request)

    bound = _bound(speech_deployment, settings, concurrency, 1, "WARNING")
    return Role("speech", "seconds of speech", bound, settings, lambda: speech.build(settings), bare, served)


def _lipsync(folder: Path, sizes: Sizes, device: Device, load: Load) -> Role:
    from benchmarks import avatar

    folder.mkdir()
    generator, detector = avatar.random_weights(folder)
    settings = lipsync.Wav2LipSettings(checkpoint=str(generator), detector=str(detector), device=device)
    batch, concurrency = 128, 2
    side = 96
    picture = np.random.default_rng(0).integers(0, 256, (2 * side, 3 * side, 3), np.uint8)
    stage = avatar.Stage(
        picture, (side, side, 2 * side, 2 * side), avatar.speech(load.requests * avatar.SHOT_FRAMES / 25)
    )
    shots = avatar.cut(stage)
    faces: list[Any] = []

    def face_of(engine: Any) -> Any:
        if not faces:
            faces.append(avatar.prepared(engine, stage))
        return faces[0]

    def bare(engine: Any) -> float:
        all_shots = [(face_of(engine), shot) for shot in shots * load.callers]
        in_batch = max(1, batch // avatar.SHOT_FRAMES)
        batches = [all_shots[start : start + in_batch] for start in range(0, len(all_shots), in_batch)]
        return _in_threads(
            concurrency, lambda part: float(sum(len(done.order) for done in engine.animate(part))), batches
        )

    async def served(handle: Any) -> float:
        if not faces:
            face_of(lipsync.build(settings))
        role = LipsyncClient(handle)
        shared = SharedFace(f"benchmark-{await role.fingerprint()}", faces[0].to_bytes())

        async def request(caller: int, at: int) -> float:
            return float(len((await role.animate(shared, shots[at], correlation_id=f"caller-{caller}")).order))

        return await _by_callers(load, request)

    bound = _bound(lipsync_deployment, settings, batch, 5.0, concurrency, 4, "WARNING")
    return Role("lipsync", "frames", bound, settings, lambda: lipsync.build(settings), bare, served)
