"""The settings of the two Serve applications: ``graphs`` (roles and job workers) and ``api`` (the ingress).

They are the ``args`` of each application in serve_config.yaml. Secrets never stand here: the database's URL, the S3
credentials and the admin key come from the environment.
"""

import os
import re
from pathlib import Path
from typing import Literal

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    NonNegativeFloat,
    PositiveFloat,
    PositiveInt,
    ValidationError,
    field_validator,
)

from models.asr import AsrSettings, PocketSphinxSettings
from models.chat import ChatSettings, OfflineSettings
from models.diarization import ClusteringSettings, DiarizationSettings
from models.lipsync import LipsyncSettings, MouthWarpSettings
from models.speaker import CompactSettings as CompactSpeakerSettings
from models.speaker import SpeakerSettings
from models.speech import EspeakSettings, SpeechSettings
from models.spoof import CompactSettings, SpoofSettings
from models.translation import ApertiumSettings, TranslationSettings
from storage.objects import DirectorySettings, ObjectsSettings

DATABASE_URL_VARIABLE = "VOICEGRAPH_DATABASE_URL"
ADMIN_KEY_VARIABLE = "VOICEGRAPH_ADMIN_KEY"
MEBIBYTE = 1024 * 1024
_VARIABLE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")


class _Settings(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class LogSettings(_Settings):
    """Logs of every process."""

    level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field(
        default="INFO", description="Least level that is logged."
    )


class StorageSettings(_Settings):
    """Location of the data. All applications must be given the same."""

    objects: ObjectsSettings = Field(
        default=DirectorySettings(kind="directory", path=Path("${VOICEGRAPH_DATA}/objects")),
        description="Audio and results. ${NAME} in a path, a bucket, a URL or a region is taken from the environment "
        "of the process; where the variable is empty, the default holds.",
    )
    database_connections: PositiveInt = Field(
        default=8, description="Most connections to PostgreSQL that one process keeps."
    )
    retention_days: PositiveFloat = Field(
        default=7.0, description="Ended jobs, their recordings and results are erased after this many days."
    )


class RecordingLimits(_Settings):
    """Bounds of an accepted recording."""

    max_bytes: PositiveInt = Field(default=1024 * MEBIBYTE, description="Largest file, in bytes.")
    min_seconds: PositiveFloat = Field(default=0.5, description="Shortest recording, in seconds.")
    max_seconds: PositiveFloat = Field(default=4 * 3600.0, description="Longest recording, in seconds.")


class _RoleSettings(_Settings):
    notice: str | None = Field(
        default=None,
        max_length=500,
        description="Sentence on the engine that this one stands in for: results and the page say it. `make run` sets "
        "it where weights could not be had.",
    )


class AsrRoleSettings(_RoleSettings):
    """The speech recogniser."""

    engine: AsrSettings = Field(default=PocketSphinxSettings(), description="Which engine, and its settings.")
    concurrency: PositiveInt = Field(default=2, description="Recordings that one replica works on at once.")


class DiarizationRoleSettings(_RoleSettings):
    """The speaker diarizer."""

    engine: DiarizationSettings = Field(default=ClusteringSettings(), description="Which engine, and its settings.")
    concurrency: PositiveInt = Field(default=2, description="Recordings that one replica works on at once.")


class SpoofRoleSettings(_RoleSettings):
    """The voice-spoof detector."""

    engine: SpoofSettings = Field(default=CompactSettings(), description="Which engine, and its settings.")
    max_batch_chunks: PositiveInt = Field(default=32, description="Chunks of 4 s that the engine is given at once.")
    batch_wait_ms: NonNegativeFloat = Field(
        default=5.0,
        description="A batch that is not full is held back by so much at most, and only while others are under way.",
    )
    concurrency: PositiveInt = Field(default=2, description="Batches that one replica's engine works on at once.")
    min_speech_seconds: PositiveFloat = Field(
        default=0.5, description="Chunks, and speakers, with less speech than this are not scored."
    )


class SpeakerRoleSettings(_RoleSettings):
    """The speaker encoder."""

    engine: SpeakerSettings = Field(default=CompactSpeakerSettings(), description="Which engine, and its settings.")
    concurrency: PositiveInt = Field(default=2, description="Calls that one replica works on at once.")


class TranslationRoleSettings(_RoleSettings):
    """The translator."""

    engine: TranslationSettings = Field(default=ApertiumSettings(), description="Which engine, and its settings.")
    max_batch_tokens: PositiveInt = Field(
        default=2048, description="Tokens of source text, by estimate, that the engine is given at once."
    )
    batch_wait_ms: NonNegativeFloat = Field(
        default=25.0,
        description="A batch that is not full is held back by so much at most, and only while others are under way.",
    )
    concurrency: PositiveInt = Field(default=2, description="Batches that one replica's engine works on at once.")


class SpeechRoleSettings(_RoleSettings):
    """The speech synthesiser."""

    engine: SpeechSettings = Field(default=EspeakSettings(), description="Which engine, and its settings.")
    concurrency: PositiveInt = Field(default=4, description="Syntheses that one replica works on at once.")
    max_models: PositiveInt = Field(
        default=4, description="Models of voices that one replica keeps loaded; the least recently used goes first."
    )


class LipsyncRoleSettings(_RoleSettings):
    """The lip-sync engine."""

    engine: LipsyncSettings = Field(default=MouthWarpSettings(), description="Which engine, and its settings.")
    max_batch_frames: PositiveInt = Field(default=128, description="Frames that the engine is given at once.")
    batch_wait_ms: NonNegativeFloat = Field(
        default=5.0,
        description="A batch that is not full is held back by so much at most, and only while others are under way.",
    )
    concurrency: PositiveInt = Field(default=2, description="Batches that one replica's engine works on at once.")
    max_faces: PositiveInt = Field(
        default=32, description="Prepared faces that one replica keeps in memory; the least recently used goes first."
    )


class VideoSettings(_Settings):
    """Films of speaking avatars."""

    encoder: Literal["libx264", "h264_nvenc"] = Field(
        default="libx264", description="Who writes H.264: the CPU, or NVIDIA's encoder on a GPU."
    )
    quality: int = Field(default=23, ge=10, le=40, description="Constant rate factor of H.264; lower is better.")
    threads: PositiveInt = Field(default=2, description="CPU threads of one film's encoder.")
    label: bool = Field(default=False, description="Draw into every film that it is synthetic.")
    label_text: str = Field(
        default="AI-generated", min_length=1, max_length=40, pattern=r"^[ -~]+$", description="What the label says."
    )
    max_seconds: PositiveFloat = Field(default=600.0, description="Longest film, in seconds.")
    max_films: PositiveInt = Field(
        default=16, description="Films that one ingress replica streams at once; more get 503 with Retry-After."
    )


class AvatarSettings(_Settings):
    """Avatars that owners upload."""

    max_bytes: PositiveInt = Field(default=50 * MEBIBYTE, description="Largest file, in bytes.")
    max_pixels: PositiveInt = Field(default=50_000_000, description="Most pixels of a picture.")
    min_side: int = Field(default=96, ge=64, description="Least width and height, in pixels.")
    max_side: int = Field(
        default=1280, ge=128, le=4096, description="An avatar with a longer side is made smaller until it has this."
    )
    max_clip_seconds: PositiveFloat = Field(default=15.0, description="Longest clip, in seconds.")
    max_per_owner: PositiveInt = Field(default=50, description="Avatars that one owner may have.")


class WorkerSettings(_Settings):
    """The process that takes jobs from the queue and runs their graphs."""

    concurrency: PositiveInt = Field(default=2, description="Jobs that one worker replica runs at once.")
    heartbeat_seconds: PositiveFloat = Field(default=5.0, description="How often a worker says it lives.")
    progress_seconds: PositiveFloat = Field(
        default=1.0, description="Events and progress of a job are written at most so often."
    )
    stalled_after_seconds: PositiveFloat = Field(
        default=20.0, description="A worker silent for so long is taken for dead and its jobs go to others."
    )
    shutdown_grace_seconds: PositiveFloat = Field(
        default=20.0,
        description="A worker that is stopped lets its jobs go on for so long; those that are not done by then go back "
        "to the queue and begin anew elsewhere.",
    )
    unknown_audio_seconds: PositiveFloat = Field(
        default=60.0, description="What a job whose length is not known counts for in the backlog, in seconds of audio."
    )


class GraphsConfig(_Settings):
    """Arguments of the application ``graphs``."""

    storage: StorageSettings = StorageSettings()
    recordings: RecordingLimits = RecordingLimits()
    asr: AsrRoleSettings = AsrRoleSettings()
    asr_live: AsrRoleSettings | None = Field(
        default=None,
        description="A second recogniser, a smaller one, for live speech in the languages that it knows; used where "
        "`live.recogniser` names it. Null: there is none.",
    )
    diarization: DiarizationRoleSettings = DiarizationRoleSettings()
    spoof: SpoofRoleSettings = SpoofRoleSettings()
    speaker: SpeakerRoleSettings = SpeakerRoleSettings()
    translation: TranslationRoleSettings = TranslationRoleSettings()
    speech: SpeechRoleSettings = SpeechRoleSettings()
    lipsync: LipsyncRoleSettings = LipsyncRoleSettings()
    avatars: AvatarSettings = AvatarSettings()
    video: VideoSettings = VideoSettings()
    worker: WorkerSettings = WorkerSettings()
    logs: LogSettings = LogSettings()


class JobLimits(_Settings):
    """Bounds of the work that is accepted."""

    max_queued_per_owner: PositiveInt = Field(
        default=100, description="An owner with so many jobs waiting gets 429 with Retry-After."
    )
    max_queued: PositiveInt = Field(
        default=10_000, description="With so many jobs waiting in all, everybody gets 503 with Retry-After."
    )
    max_attempts: PositiveInt = Field(default=5, description="Runs of one job before it fails for good.")
    seconds_per_audio_second: PositiveFloat = Field(
        default=4.0, description="Time limit of a job, per second of its recording."
    )
    min_time_limit_seconds: PositiveFloat = Field(default=600.0, description="No job's time limit is shorter.")


class TextLimits(_Settings):
    """Bounds of text that is spoken or translated."""

    max_speech_chars: PositiveInt = Field(default=5000, description="Longest text of one synthesis.")
    max_translation_chars: PositiveInt = Field(default=20_000, description="Longest text of one translation.")
    max_reference_seconds: PositiveFloat = Field(
        default=30.0, description="Longest recording of a voice to sound like, in seconds."
    )
    max_voices_per_owner: PositiveInt = Field(default=100, description="Voices that one owner may register.")


class AssistantSettings(_Settings):
    """The voice assistant."""

    chat: ChatSettings = Field(default=OfflineSettings(), description="Which chat engine, and its settings.")
    system_prompt: str = Field(
        default="", max_length=8000, description="Put before every conversation; empty: nothing is."
    )
    language: str = Field(
        default="en",
        pattern=r"^[a-z]{2,3}$",
        description="ISO 639-1 code of the language that is spoken where a request names none.",
    )
    history_messages: PositiveInt = Field(
        default=20, description="Messages of a session that the chat engine is shown."
    )
    session_ttl_seconds: PositiveFloat = Field(
        default=1800.0, description="A session is erased so long after its last message."
    )
    max_message_chars: PositiveInt = Field(default=5000, description="Longest message.")
    max_audio_bytes: PositiveInt = Field(default=10 * MEBIBYTE, description="Largest spoken message, in bytes.")
    max_audio_seconds: PositiveFloat = Field(default=120.0, description="Longest spoken message, in seconds.")
    max_reply_chars: PositiveInt = Field(
        default=8000, description="A reply is cut after so many characters, whatever the chat engine sends."
    )


class LiveSettings(_Settings):
    """Live audio over WebSocket."""

    idle_seconds: PositiveFloat = Field(
        default=60.0, description="A connection that sends neither speech nor a command for so long is closed."
    )
    max_seconds: PositiveFloat = Field(default=3600.0, description="No connection lasts longer.")
    max_connections_per_owner: PositiveInt = Field(
        default=10, description="Open connections of one owner and replica; more are refused."
    )
    max_unsent_bytes: PositiveInt = Field(
        default=4 * MEBIBYTE, description="A client that lets so much wait to be received is disconnected."
    )
    end_of_speech_ms: PositiveInt = Field(default=500, description="A pause as long as this ends an utterance.")
    max_utterance_seconds: PositiveFloat = Field(default=30.0, description="Longer utterances are cut.")
    recogniser: Literal["asr", "asr_live"] = Field(
        default="asr", description="Role that recognises live speech; `asr_live` must be configured in `graphs`."
    )


class RateLimits(_Settings):
    """Requests a minute and IP address on the compatible routes."""

    assistant: PositiveInt = Field(default=10, description="golos' routes below /api/v1 (voice, chat, stt, tts)")

    upload: PositiveInt = Field(default=10, description="POST /upload/ and /transcribe")
    results: PositiveInt = Field(default=20, description="GET /results/{id}")
    health: PositiveInt = Field(default=30, description="GET /health")
    metrics: PositiveInt = Field(default=10, description="GET /metrics")


class RpcBucket(_Settings):
    """A bucket besides the system's own whose recordings gRPC callers may name; the system only reads it."""

    name: str = Field(
        pattern=r"^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$",
        description="A bucket of the same S3 server; where objects lie in a directory, a folder beside that one.",
    )
    prefix: str = Field(
        default="{owner_name}/",
        description="How the keys begin that a caller may name; {owner_name} and {owner_id} are the caller's. "
        "Empty: every caller may name every key.",
    )

    @field_validator("prefix")
    @classmethod
    def _known_placeholders(cls, prefix: str) -> str:
        try:
            prefix.format(owner_name="", owner_id=0)
        except (KeyError, IndexError, ValueError, AttributeError):
            raise ValueError("may have {owner_name} and {owner_id} in braces, and nothing else") from None
        return prefix

    def prefix_of(self, owner_name: str, owner_id: int) -> str:
        """Return how the keys begin that this owner may name."""
        return self.prefix.format(owner_name=owner_name, owner_id=owner_id)


class RpcSettings(_Settings):
    """The gRPC service ``audioanalyzer.AudioAnalysis``; port and time limit are Serve's own, in ``grpc_options``."""

    buckets: tuple[RpcBucket, ...] = Field(
        default=(), description="Buckets that callers may name, besides the system's own with their uploads."
    )
    loopback_only: bool = Field(
        default=False,
        description="Answer callers on this machine only: Serve's gRPC port listens on every network interface.",
    )


class ApiConfig(_Settings):
    """Arguments of the application ``api``."""

    storage: StorageSettings = StorageSettings()
    recordings: RecordingLimits = RecordingLimits()
    jobs: JobLimits = JobLimits()
    rate_limits: RateLimits = RateLimits()
    texts: TextLimits = TextLimits()
    assistant: AssistantSettings = AssistantSettings()
    live: LiveSettings = LiveSettings()
    avatars: AvatarSettings = AvatarSettings()
    video: VideoSettings = VideoSettings()
    grpc: RpcSettings = RpcSettings()
    logs: LogSettings = LogSettings()
    roles_application: str = Field(default="graphs", description="Serve application whose roles are called.")
    applications: tuple[str, ...] = Field(
        default=("graphs", "api"), description="Serve applications that /ready waits for."
    )
    cors_origins: tuple[str, ...] = Field(default=(), description="Origins that browsers may call from.")
    allowed_hosts: tuple[str, ...] = Field(
        default=("*",), description="Host names the service answers to; guards against DNS rebinding."
    )
    upload_chunk_timeout_seconds: PositiveFloat = Field(
        default=30.0, description="An upload that sends nothing for so long is dropped with 408."
    )
    dashboard_url: str | None = Field(
        default=None,
        pattern=r"^https?://[^/\s]+(/\S*)?$",
        description="Ray's dashboard as people reach it, for the page's link; `make run` sets it.",
    )
    max_event_streams_per_owner: PositiveInt = Field(
        default=20, description="Open event streams of one owner and ingress replica; more get 429."
    )


def database_url() -> str:
    """Return the database's URL from the environment.

    Raises:
        RuntimeError: It is not set.
    """
    url = os.environ.get(DATABASE_URL_VARIABLE, "")
    if not url:
        raise RuntimeError(
            f"{DATABASE_URL_VARIABLE} is not set. It names the PostgreSQL database, for instance "
            "postgresql://user:password@host/voicegraph; `make run` starts one of its own and sets it."
        )
    return url


def expanded(objects: ObjectsSettings) -> ObjectsSettings:
    """Fill ${NAME} from the environment; a variable that is set but empty stands for the setting's default.

    Raises:
        RuntimeError: A variable is not set, or what it holds can't be used.
    """
    values = objects.model_dump()
    for field, value in list(values.items()):
        if "${" in str(value):
            values[field] = _filled(str(value), f"storage.objects.{field}")
            if values[field] == "":
                del values[field]
    try:
        return type(objects).model_validate(values)
    except ValidationError as error:
        faults = "; ".join(f"storage.objects.{fault['loc'][-1]}: {fault['msg']}" for fault in error.errors())
        raise RuntimeError(f"the environment fills in what can't be used: {faults}") from error


def _filled(text: str, path: str) -> str:
    def value(name: re.Match[str]) -> str:
        try:
            return os.environ[name[1]]
        except KeyError:
            raise RuntimeError(f"{path}: {text} names a variable that is not set") from None

    return _VARIABLE.sub(value, text)
