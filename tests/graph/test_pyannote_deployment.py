"""pyannote's diarization and WeSpeaker's encoder behind their handles, in Serve's local testing mode."""

from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from checkpoints.pyannote import build_community_1
from fake_roles import FakeAsr, FakeSpoof
from ray import serve

from deployments.diarization import DiarizationClient, diarization_deployment
from deployments.speaker import SpeakerClient, speaker_deployment
from graphs.common.progress import result_of
from graphs.common.recordings import SharedRecording
from graphs.transcription.graph import TranscriptionGraph, TranscriptionOptions
from graphs.transcription.transcript import Transcript
from models.asr import Segment, Word
from models.audio import SAMPLE_RATE, decode
from models.diarization import PyannoteSettings
from models.samples import DIALOGUE
from models.speaker import WespeakerSettings

pytestmark = [pytest.mark.graph, pytest.mark.anyio, pytest.mark.slow]


WORDS = [Word(f"word{second}", second + 0.2, second + 0.8) for second in range(8)]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_community_1(tmp_path_factory.mktemp("community-1"))


async def test_every_word_is_given_to_one_of_the_speakers_that_pyannote_finds(folder: Path) -> None:
    handle = serve.run(
        diarization_deployment.bind(PyannoteSettings(model=str(folder), device="cpu"), 2),
        name="pyannote",
        route_prefix=None,
        _local_testing_mode=True,
    )
    pcm = decode(BytesIO(DIALOGUE.read_bytes()))[: 8 * SAMPLE_RATE]
    pcm.flags.writeable = False  # as it comes out of Ray's object store
    asr = FakeAsr(*(Segment(word.start, word.end, word.text, (word,)) for word in WORDS))
    graph = TranscriptionGraph(asr, DiarizationClient(handle), FakeSpoof())
    events = graph.run(SharedRecording(pcm, pcm), TranscriptionOptions(num_speakers=2))
    transcript = await result_of(events, Transcript)

    assert transcript.speakers == ("SPEAKER_00", "SPEAKER_01")
    assert {turn.speaker for turn in transcript.diarization} == {"SPEAKER_00", "SPEAKER_01"}
    assert " ".join(turn.text for turn in transcript.turns) == " ".join(f"word{second}" for second in range(8))
    assert {turn.speaker for turn in transcript.turns} <= {"SPEAKER_00", "SPEAKER_01"}


async def test_wespeaker_embeds_behind_its_handle(folder: Path) -> None:
    handle = serve.run(
        speaker_deployment.bind(WespeakerSettings(model=str(folder / "embedding"), device="cpu"), 1),
        name="wespeaker",
        route_prefix=None,
        _local_testing_mode=True,
    )
    pcm = decode(BytesIO(DIALOGUE.read_bytes()))[:SAMPLE_RATE]
    embeddings, encoder = await SpeakerClient(handle).embed([pcm], correlation_id="cid")
    assert encoder.startswith("wespeaker-")
    np.testing.assert_allclose(np.linalg.norm(embeddings, axis=1), 1.0, atol=1e-6)
