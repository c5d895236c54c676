"""The talking avatar on one machine: Wav2Lip's network, and whole films.

python -m benchmarks.avatar [--part network|film] [--seconds 20] [--rounds 3] [--threads N] [--width 1280] [--small]

Part `network`: frames a second of a still avatar, the engine against the straightforward way, on the same random
weights, taking turns in one run. The engine is given what the deployment gives it, shots of up to two seconds in
batches of up to 128 frames, one batch in one thread on each core, and a face that was prepared when the avatar was
uploaded. The straightforward way has all cores for one batch, and is that of a script which is run once for each
request: it finds the face with S3FD, then builds the six-channel input of every frame and runs the whole network over
them, 128 at a time. Its figures are given with and without finding the face. Both make pictures out of the same
speech; `largest_difference` compares those, in levels of 255, where they are shown. On a CPU the engine also takes
turns with itself without Winograd's convolutions.

Part `film`: see ``benchmarks.avatar_film``. Prints JSON; `--small` is for trying the script.
"""

import argparse
import json
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from unittest.mock import patch

import cv2
import numpy as np
import torch
from face_alignment.detection.sfd import FaceDetector
from face_alignment.detection.sfd.net_s3fd import s3fd
from numpy.typing import NDArray

from models.lipsync import CONTEXT_AFTER_S, CONTEXT_BEFORE_S, PreparedFace, Shot, Wav2LipSettings, winograd
from models.lipsync.wav2lip import Wav2LipEngine
from models.lipsync.wav2lip_checkpoint import load_network
from models.lipsync.wav2lip_mel import speech_windows
from models.lipsync.wav2lip_network import FACE_SIDE, Wav2LipNetwork

SAMPLES_PER_FRAME = 640
BATCH_FRAMES = 128
SHOT_FRAMES = 50

Pictures = NDArray[np.uint8]


@dataclass(frozen=True)
class Stage:
    """A picture, where its face is, and what it is to say."""

    picture: Pictures
    face: tuple[int, int, int, int]
    speech: NDArray[np.float32]

    @property
    def frames(self) -> int:
        """Of the film."""
        return len(self.speech) // SAMPLES_PER_FRAME


@dataclass
class Turns:
    """Seconds of each round, by what was done."""

    seconds: dict[str, list[float]] = field(default_factory=dict)
    cpu_seconds: dict[str, list[float]] = field(default_factory=dict)

    def timed(self, name: str, work: Callable[[], Any]) -> Any:
        """Return what the work returns."""
        started, used = time.perf_counter(), time.process_time()
        result = work()
        if torch.cuda.is_available():
            torch.cuda.synchronize()
        self.seconds.setdefault(name, []).append(time.perf_counter() - started)
        self.cpu_seconds.setdefault(name, []).append(time.process_time() - used)
        return result


def random_weights(folder: Path) -> tuple[Path, Path]:
    """Write a generator and a detector as they are published, and return the files."""
    torch.manual_seed(0)
    generator, detector = folder / "wav2lip.pth", folder / "s3fd.pth"
    torch.save({"state_dict": spread(Wav2LipNetwork()).state_dict()}, generator)
    blind = s3fd()
    with torch.no_grad():
        for name, bias in blind.named_parameters():
            if name.endswith("_conf.bias"):
                # Nothing is a face to random weights: what is found has to be sorted out, which is not the network.
                bias[:-1] += 100
    torch.save(blind.state_dict(), detector)
    return generator, detector


def spread(network: Wav2LipNetwork) -> Wav2LipNetwork:
    """Give the network weights under which its output depends on its input."""
    with torch.no_grad():
        for parameter in network.parameters():
            if parameter.ndim > 1:
                torch.nn.init.normal_(parameter, std=parameter[0].numel() ** -0.5)
    return network


def speech(seconds: float) -> NDArray[np.float32]:
    """Return a buzz with syllables and a pause of digital silence every few of them, as synthesisers write it."""
    at = np.arange(int(seconds * 16_000)) / 16_000
    syllables = np.clip(np.sin(2 * np.pi * 3.7 * at), 0, None) * (at % 2.5 < 2.2)
    voice = np.sin(2 * np.pi * (120 * at + 3 * np.sin(2 * np.pi * 0.7 * at)))
    noise = np.random.default_rng(0).standard_normal(len(at))
    sound: NDArray[np.float32] = (syllables * (0.3 * np.sign(voice) + 0.05 * noise)).astype(np.float32)
    return sound


class Straightforward:
    """The whole network over every frame."""

    def __init__(self, generator: Path, detector: Path, stage: Stage, device: torch.device) -> None:
        self._network = load_network(generator).to(device)
        self._detector = FaceDetector(device=device.type, path_to_detector=str(detector))
        self._stage = stage
        self._device = device

    def find(self) -> None:
        """Find the face in the picture."""
        image = torch.from_numpy(np.ascontiguousarray(self._stage.picture[..., ::-1].transpose(2, 0, 1)))
        self._detector.detect_from_batch(image[None])

    @torch.inference_mode()
    def draw(self) -> Pictures:
        """Return the faces of the film."""
        stage = self._stage
        windows = speech_windows(Shot(stage.speech, 0, True, 0, stage.frames))
        left, top, right, bottom = stage.face
        drawn = []
        for start in range(0, stage.frames, BATCH_FRAMES):
            mel = windows[start : start + BATCH_FRAMES]
            face = cv2.resize(
                stage.picture[top:bottom, left:right], (FACE_SIDE, FACE_SIDE), interpolation=cv2.INTER_AREA
            )
            faces = np.stack([face] * len(mel))
            upper = faces.copy()
            upper[:, FACE_SIDE // 2 :] = 0
            images = np.concatenate((upper, faces), axis=3) / 255.0
            output = self._network(
                torch.from_numpy(mel[:, None]).to(self._device),
                torch.from_numpy(images.transpose(0, 3, 1, 2)).float().to(self._device),
            )
            drawn.append((output.cpu().numpy().transpose(0, 2, 3, 1) * 255).round().astype(np.uint8))
        return np.concatenate(drawn)


class Prepared:
    """The engine, on a face that it knows."""

    def __init__(self, engine: Wav2LipEngine, stage: Stage, concurrency: int) -> None:
        face = prepared(engine, stage)
        shots = [(face, shot) for shot in cut(stage)]
        in_batch = BATCH_FRAMES // SHOT_FRAMES
        self._batches = [shots[start : start + in_batch] for start in range(0, len(shots), in_batch)]
        self._engine = engine
        self._pool = ThreadPoolExecutor(concurrency)

    def draw(self) -> Pictures:
        """Return the faces of the film, their lower part."""
        drawn = self._pool.map(self._engine.animate, self._batches)
        return np.concatenate([patches.images[patches.order] for batch in drawn for patches in batch])


def prepared(engine: Wav2LipEngine, stage: Stage) -> PreparedFace:
    """Prepare the face where it is said to be, for random weights find none."""
    from models.lipsync.face_box import FaceBox
    from models.lipsync.face_crops import FaceCropper

    class Known:
        def find(self, images: Any) -> list[list[FaceBox]]:
            return [[FaceBox(*map(float, stage.face))] for _ in images]

    engine._cropper = FaceCropper(Known(), (0, 0, 0, 0), 1)
    return engine.prepare([stage.picture])


def cut(stage: Stage) -> list[Shot]:
    """Return the film in shots, each with the speech around it."""
    before, after = int(CONTEXT_BEFORE_S * 16_000), int(CONTEXT_AFTER_S * 16_000)
    shots = []
    for first in range(0, stage.frames, SHOT_FRAMES):
        count = min(SHOT_FRAMES, stage.frames - first)
        start = max(0, first * SAMPLES_PER_FRAME - before)
        stop = (first + count) * SAMPLES_PER_FRAME + after
        shots.append(Shot(stage.speech[start:stop], start, stop >= len(stage.speech), first, count))
    return shots


def network(seconds: float, rounds: int, threads: int, width: int) -> dict[str, Any]:
    """Compare the engine with the straightforward way."""
    height = width * 9 // 16
    side = FACE_SIDE * max(1, height // (2 * FACE_SIDE))
    left, top = (width - side) // 2, (height - side) // 2
    picture = np.random.default_rng(0).integers(0, 256, (height, width, 3), np.uint8)
    stage = Stage(picture, (left, top, left + side, top + side), speech(seconds))
    torch.set_num_threads(threads)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    with tempfile.TemporaryDirectory(prefix="voicegraph-benchmark-") as place:
        generator, detector = random_weights(Path(place))
        engine = Wav2LipEngine(Wav2LipSettings(checkpoint=generator, detector=detector))
        loop = Straightforward(generator, detector, stage, device)
        with patch.object(winograd, "LEAST_CHANNELS", sys.maxsize):
            plain_engine = Wav2LipEngine(Wav2LipSettings(checkpoint=generator, detector=detector))
    concurrency = 1 if device.type == "cuda" else threads
    ours, plain = Prepared(engine, stage, concurrency), Prepared(plain_engine, stage, concurrency)
    turns, warm_up = Turns(), Turns()
    for number in range(rounds + 1):
        now = turns if number else warm_up
        mine = now.timed("engine", ours.draw)
        if device.type == "cpu":
            now.timed("engine_without_winograd", plain.draw)
        now.timed("find", loop.find)
        theirs = now.timed("loop", loop.draw)
    rows = FACE_SIDE - mine.shape[1]
    difference = np.abs(theirs[:, rows:].astype(int) - mine.astype(int)).max()
    return {"device": device.type, "frames": stage.frames, "picture": [width, height]} | summary(
        turns, stage.frames, int(difference)
    )


def summary(turns: Turns, frames: int, difference: int) -> dict[str, Any]:
    """Return frames a second, and how many times as fast the engine is."""
    engine, find, loop = (turns.seconds[name] for name in ("engine", "find", "loop"))
    with_finding = [one + other for one, other in zip(find, loop, strict=True)]

    def ratio(others: list[float]) -> float:
        return statistics.median(theirs / mine for mine, theirs in zip(engine, others, strict=True))

    plain = turns.seconds.get("engine_without_winograd")
    return {
        "frames_per_second": {
            "engine": frames / statistics.median(engine),
            "straightforward": frames / statistics.median(with_finding),
            "straightforward_without_finding_the_face": frames / statistics.median(loop),
        },
        "engine_to_straightforward": ratio(with_finding),
        "engine_to_straightforward_without_finding_the_face": ratio(loop),
        "engine_to_engine_without_winograd": ratio(plain) if plain else None,
        "seconds_to_find_the_face": statistics.median(find),
        "cpu_milliseconds_a_frame": {
            name: 1000 * statistics.median(values) / frames for name, values in turns.cpu_seconds.items()
        },
        "largest_difference": difference,
        "rounds": turns.seconds,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--part", choices=("network", "film"), help="only one of the two")
    parser.add_argument("--seconds", type=float, default=20.0, help="length of the speech")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=os.cpu_count(), help="CPU threads of both ways")
    parser.add_argument("--width", type=int, default=1280, help="of the picture, in pixels")
    parser.add_argument("--small", action="store_true", help="a short film in a small picture, to try the script")
    asked = parser.parse_args()
    seconds, rounds, width = (0.8, 1, 256) if asked.small else (asked.seconds, asked.rounds, asked.width)
    report: dict[str, Any] = {"cores": os.cpu_count(), "threads": asked.threads}
    if asked.part != "film":
        report["network"] = network(seconds, rounds, asked.threads, width)
    if asked.part != "network":
        from benchmarks.avatar_film import film

        report["film"] = film(small=asked.small)
    report["load_average"] = os.getloadavg()[0]
    print(json.dumps(report, indent=2))


if __name__ == "__main__":
    main()
