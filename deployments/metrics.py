"""Metrics of the role deployments, exported by Ray on every node and merged by the ingress's /metrics."""

from typing import Any

from ray.serve.metrics import Counter, Gauge, Histogram

PREFIX = "voicegraph_"
LATENCY_BUCKETS_S = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600]
WAIT_BUCKETS_S = [0.001, 0.0025, *LATENCY_BUCKETS_S[:-3]]
BATCH_BUCKETS = [1.0, 2, 4, 8, 16, 24, 32, 48, 64, 96, 128, 192, 256, 512]


class RoleMetrics:
    """Metrics of every role, labelled by role and engine."""

    def __init__(self, role: str, engine: str) -> None:
        labels: Any = ("role", "engine")  # Ray annotates tuples of one
        self._tags = {"role": role, "engine": engine}
        self._audio = Counter(PREFIX + "audio_seconds_total", "Seconds of audio given to an engine.", tag_keys=labels)
        self._busy = Counter(
            PREFIX + "engine_busy_seconds_total", "Seconds an engine's threads spent working.", tag_keys=labels
        )
        self._calls = Counter(PREFIX + "engine_calls_total", "Calls to an engine.", tag_keys=labels)
        self._errors = Counter(PREFIX + "engine_errors_total", "Calls that raised.", tag_keys=labels)
        self._seconds = Histogram(
            PREFIX + "engine_call_seconds",
            "Seconds per call, from its start in the replica to its last result.",
            boundaries=LATENCY_BUCKETS_S,
            tag_keys=labels,
        )

    def working(self, seconds: float) -> None:
        """Count time that a thread of the engine worked."""
        self._busy.inc(seconds, tags=self._tags)

    def called(self, audio_seconds: float, seconds: float, *, failed: bool) -> None:
        """Count a call that has ended."""
        self._calls.inc(1, tags=self._tags)
        if audio_seconds > 0:
            self._audio.inc(audio_seconds, tags=self._tags)
        self._seconds.observe(seconds, tags=self._tags)
        if failed:
            self._errors.inc(1, tags=self._tags)


class GpuMetrics:
    """GPU memory metrics of a role with a share of a GPU, labelled by role and engine."""

    def __init__(self, role: str, engine: str) -> None:
        labels: Any = ("role", "engine")
        self._tags = {"role": role, "engine": engine}
        self._held = Gauge(PREFIX + "gpu_memory_bytes", "GPU memory that the process holds.", tag_keys=labels)
        self._share = Gauge(PREFIX + "gpu_share_bytes", "GPU memory that the process may hold.", tag_keys=labels)
        self._out_of_memory = Counter(
            PREFIX + "gpu_out_of_memory_total", "Times that work did not fit into the GPU's memory.", tag_keys=labels
        )

    def memory(self, held: int | None, share: int) -> None:
        """Show what the process holds, where that can be told, and what it may hold; in bytes."""
        if held is not None:
            self._held.set(held, tags=self._tags)
        self._share.set(share, tags=self._tags)

    def ran_out(self, times: int) -> None:
        """Count work that did not fit."""
        if times:
            self._out_of_memory.inc(times, tags=self._tags)


class BatchMetrics:
    """Metrics of a role that gathers batches, in the unit in which it sizes them, labelled by role and engine."""

    def __init__(self, role: str, engine: str) -> None:
        labels: Any = ("role", "engine")
        self._tags = {"role": role, "engine": engine}
        self._size = Histogram(
            PREFIX + "batch_size", "Chunks or seconds in a batch.", boundaries=BATCH_BUCKETS, tag_keys=labels
        )
        self._wait = Histogram(
            PREFIX + "batch_wait_seconds",
            "Seconds from a call's arrival to the start of its first batch.",
            boundaries=WAIT_BUCKETS_S,
            tag_keys=labels,
        )
        self._queue = Gauge(PREFIX + "batch_queue", "Chunks or seconds waiting for a batch.", tag_keys=labels)

    def batch(self, size: float, *, queued: float) -> None:
        """Count a batch that starts, and what is left waiting."""
        self._size.observe(size, tags=self._tags)
        self._queue.set(queued, tags=self._tags)

    def waited(self, seconds: float) -> None:
        """Count the wait of a call whose first items start."""
        self._wait.observe(seconds, tags=self._tags)


class SpeechMetrics:
    """Metrics of the synthesiser beside its calls, labelled by the engine that spoke."""

    def __init__(self) -> None:
        labels: Any = ("engine",)
        self._seconds = Counter(PREFIX + "speech_seconds_total", "Seconds of speech that were made.", tag_keys=labels)
        self._characters = Counter(
            PREFIX + "speech_characters_total", "Characters of text that were spoken.", tag_keys=labels
        )
        self._first_sound = Histogram(
            PREFIX + "speech_first_sound_seconds",
            "Seconds from a call's arrival in the replica to its first speech.",
            boundaries=WAIT_BUCKETS_S,
            tag_keys=labels,
        )

    def first_sound(self, engine: str, seconds: float) -> None:
        """Count the wait for a call's first speech."""
        self._first_sound.observe(seconds, tags={"engine": engine})

    def spoke(self, engine: str, seconds: float, characters: int) -> None:
        """Count speech that was made, and the text that it begins."""
        self._seconds.inc(seconds, tags={"engine": engine})
        if characters:
            self._characters.inc(characters, tags={"engine": engine})
