"""pyannote's pipelines and WeSpeaker's encoder, on small checkpoints with random weights in the published layouts.

Who speaks is gibberish; that turns are those of pyannote itself, how many speakers there are, and what is refused, is
checked.
"""

import os
import shutil
from concurrent.futures import ThreadPoolExecutor
from io import BytesIO
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from checkpoints.pyannote import (
    COMMUNITY_1,
    build_3_1,
    build_community_1,
    build_embedding,
    build_segmentation,
    build_wespeaker,
    embedding_network,
    write_model,
)
from numpy.typing import NDArray
from weights_caches import WeightsCaches

from models.audio import decode
from models.diarization import PyannoteSettings, SpeakerTurn, build
from models.errors import InputError, MissingWeights
from models.samples import DIALOGUE
from models.settings import Adjustable
from models.speaker import SpeakerEncoder, WespeakerSettings
from models.speaker import build as build_encoder
from models.weights.references import references

pytestmark = [pytest.mark.unit, pytest.mark.slow]

Pcm = NDArray[np.float32]
SECOND = 16_000


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_community_1(tmp_path_factory.mktemp("community-1"))


@pytest.fixture(scope="module")
def pcm() -> Pcm:
    dialogue = decode(BytesIO(DIALOGUE.read_bytes()))[: 8 * SECOND]
    dialogue.flags.writeable = False
    return dialogue


def diarizer(folder: Path, **settings: Any) -> Any:
    return build(PyannoteSettings(model=str(folder), device="cpu", **settings))


@pytest.fixture(scope="module")
def engine(folder: Path) -> Any:
    return diarizer(folder)


def of_pyannote(pipeline: Any, pcm: Pcm, **counts: int) -> list[tuple[float, float, str]]:
    """What a pipeline of pyannote's own says, the speakers named in order of appearance."""
    import torch

    output = pipeline({"waveform": torch.from_numpy(pcm.copy())[None], "sample_rate": SECOND}, **counts)
    names: dict[str, str] = {}
    return [
        (span.start, min(span.end, len(pcm) / SECOND), names.setdefault(label, f"SPEAKER_{len(names):02d}"))
        for span, _, label in output.exclusive_speaker_diarization.itertracks(yield_label=True)
    ]


def plain(turns: tuple[SpeakerTurn, ...]) -> list[tuple[float, float, str]]:
    return [(turn.start, turn.end, turn.speaker) for turn in turns]


# --- what it says ----------------------------------------------------------------------------------------------


def test_turns_are_those_of_pyannotes_own_pipeline(folder: Path, engine: Any, pcm: Pcm) -> None:
    from pyannote.audio import Pipeline

    pipeline = Pipeline.from_pretrained(folder)
    found = plain(engine.diarize(pcm, num_speakers=2))

    assert {speaker for _, _, speaker in found} == {"SPEAKER_00", "SPEAKER_01"}
    np.testing.assert_allclose(
        [turn[:2] for turn in found], [turn[:2] for turn in of_pyannote(pipeline, pcm, num_speakers=2)]
    )
    assert [turn[2] for turn in found] == [turn[2] for turn in of_pyannote(pipeline, pcm, num_speakers=2)]


@pytest.mark.parametrize("asked", [{"num_speakers": 1}, {"num_speakers": 3}, {"min_speakers": 2, "max_speakers": 3}])
def test_turns_are_of_as_many_speakers_as_asked_for_and_do_not_overlap(
    engine: Any, pcm: Pcm, asked: dict[str, int]
) -> None:
    turns = engine.diarize(pcm, **asked)
    speakers = list(dict.fromkeys(turn.speaker for turn in turns))

    least, most = asked.get("min_speakers", 0), asked.get("max_speakers", 0)
    assert (least or asked["num_speakers"]) <= len(speakers) <= (most or asked["num_speakers"])
    assert speakers == [f"SPEAKER_{number:02d}" for number in range(len(speakers))]
    assert all(0.0 <= turn.start < turn.end <= len(pcm) / SECOND for turn in turns)
    assert all(before.end <= after.start for before, after in pairwise(turns))


@pytest.mark.parametrize("seconds", [0.0, 1 / SECOND, 0.3, 2.0])
def test_where_there_is_too_little_speech_fewer_speakers_are_found(engine: Any, pcm: Pcm, seconds: float) -> None:
    turns = engine.diarize(pcm[: round(seconds * SECOND)], num_speakers=9)
    assert len({turn.speaker for turn in turns}) < 9
    assert all(turn.end <= seconds for turn in turns)


def test_numbers_of_speakers_that_contradict_each_other_are_refused(engine: Any, pcm: Pcm) -> None:
    with pytest.raises(InputError, match="greater than max_speakers"):
        engine.diarize(pcm, min_speakers=3, max_speakers=2)
    with pytest.raises(InputError, match="from 1 to 20"):
        engine.diarize(pcm, num_speakers=21)


def test_threads_get_each_their_own_turns(engine: Any, pcm: Pcm) -> None:
    halves = [pcm[: 4 * SECOND], pcm[4 * SECOND :]]
    alone = [engine.diarize(half) for half in halves]
    with ThreadPoolExecutor(2) as threads:
        assert list(threads.map(engine.diarize, halves)) == alone


def test_nothing_is_reported_to_pyannote(folder: Path, pcm: Pcm, monkeypatch: pytest.MonkeyPatch) -> None:
    from pyannote.audio.telemetry import metrics

    def reported(*arguments: object) -> None:
        raise AssertionError(f"telemetry: {arguments}")

    monkeypatch.setattr(metrics.tracer, "start_as_current_span", reported)
    monkeypatch.setitem(os.environ, "PYANNOTE_METRICS_ENABLED", "true")
    diarizer(folder).diarize(pcm[:SECOND])


def test_hyper_parameters_and_batch_sizes_change_in_a_working_engine(folder: Path, pcm: Pcm) -> None:
    engine = diarizer(folder)
    assert isinstance(engine, Adjustable)
    first = engine.diarize(pcm)
    named = {"model": str(folder), "device": "cpu"}

    engine.adjust(PyannoteSettings(**named, min_duration_off=5.0, segmentation_batch_size=1, embedding_batch_size=2))
    joined = engine.diarize(pcm)
    assert len(joined) < len(first)
    assert all(before.end <= after.start for before, after in pairwise(joined))
    assert all(before.speaker != after.speaker or after.start - before.end > 5.0 for before, after in pairwise(joined))

    engine.adjust(PyannoteSettings(**named, threshold=0.5, fa=0.3, fb=2.0))
    assert engine._pipeline.parameters(instantiated=True)["clustering"]["Fa"] == 0.07
    engine.diarize(pcm[:SECOND])
    assert engine._pipeline.parameters(instantiated=True)["clustering"] == {"threshold": 0.5, "Fa": 0.3, "Fb": 2.0}

    engine.adjust(PyannoteSettings(**named))
    np.testing.assert_allclose([turn[:2] for turn in plain(engine.diarize(pcm))], [turn[:2] for turn in plain(first)])


def test_batches_that_the_gpu_has_no_room_for_are_halved(
    folder: Path, engine: Any, pcm: Pcm, monkeypatch: pytest.MonkeyPatch
) -> None:
    from pyannote.audio.models.embedding.wespeaker import WeSpeakerResNet34
    from pyannote.audio.models.segmentation import PyanNet

    room, tried = 2, list[int]()
    for kind in (PyanNet, WeSpeakerResNet34):

        def forward(self: Any, waveforms: Any, *, whole: Any = kind.forward, **weights: Any) -> Any:
            tried.append(len(waveforms))
            if len(waveforms) > room:
                raise RuntimeError("CUDA out of memory. Tried to allocate 2.00 GiB")
            return whole(self, waveforms, **weights)

        monkeypatch.setattr(kind, "forward", forward)
    small = diarizer(folder)
    tried.clear()
    assert plain(small.diarize(pcm)) == plain(engine.diarize(pcm))
    assert max(tried) > 2 and min(tried) == 1

    room = 0
    with pytest.raises(MemoryError):
        small.diarize(pcm)


# --- what it is made from --------------------------------------------------------------------------------------


def test_3_1_takes_the_models_that_it_names_from_the_hugging_face_cache(
    tmp_path: Path, pcm: Pcm, weights_caches: WeightsCaches, monkeypatch: pytest.MonkeyPatch
) -> None:
    weights_caches.put_from_hub("pyannote/speaker-diarization-3.1", build_3_1(tmp_path / "3.1"))
    weights_caches.put_from_hub("pyannote/segmentation-3.0", build_segmentation(tmp_path / "segmentation"))
    weights_caches.put_from_hub("pyannote/wespeaker-voxceleb-resnet34-LM", build_embedding(tmp_path / "embedding"))
    monkeypatch.setattr("socket.socket.connect", lambda *_: pytest.fail("the network was asked"))
    settings = PyannoteSettings(model="pyannote/speaker-diarization-3.1", device="cpu", segmentation_step=0.5)
    engine = build(settings)

    from pyannote.audio.pipelines import SpeakerDiarization

    own = SpeakerDiarization(
        segmentation=str(tmp_path / "segmentation" / "pytorch_model.bin"),
        segmentation_step=0.5,
        embedding=str(tmp_path / "embedding" / "pytorch_model.bin"),
        embedding_exclude_overlap=True,
        plda=engine._pipeline._plda,  # type: ignore[attr-defined]
        clustering="AgglomerativeClustering",
    )
    own.instantiate(
        {
            "segmentation": {"min_duration_off": 0.0},
            "clustering": {"method": "centroid", "min_cluster_size": 12, "threshold": 0.7045654963945799},
        }
    )
    np.testing.assert_allclose(
        [turn[:2] for turn in plain(engine.diarize(pcm))], [turn[:2] for turn in of_pyannote(own, pcm)]
    )
    with pytest.raises(ValueError, match=r"fb must be left out: .*AgglomerativeClustering"):
        build(settings.model_copy(update={"fb": 1.0}))


def test_a_pipeline_that_names_its_models_has_them_fetched_too() -> None:
    def named(model: str) -> list[tuple[str, str]]:
        return [(found.setting, found.name) for found in references(PyannoteSettings(model=model))]

    assert named("pyannote/speaker-diarization-community-1") == [("model", "pyannote/speaker-diarization-community-1")]
    assert named("hf://pyannote/speaker-diarization-3.1@main")[:2] == [
        ("segmentation", "pyannote/segmentation-3.0"),
        ("embedding", "pyannote/wespeaker-voxceleb-resnet34-LM"),
    ]


@pytest.mark.usefixtures("weights_caches")
def test_missing_weights_are_named_with_the_licence_to_accept(tmp_path: Path) -> None:
    with pytest.raises(MissingWeights, match=r"first accept its licence at .*diarization-community-1 and set HF_TOKEN"):
        build(PyannoteSettings(device="cpu"))
    with pytest.raises(MissingWeights, match=r"nowhere; accept the licence .* hf download"):
        diarizer(tmp_path / "nowhere")
    with pytest.raises(MissingWeights, match=r"weights pyannote/segmentation-3\.0 are missing"):
        diarizer(build_3_1(tmp_path / "3.1"))


@pytest.mark.parametrize("name", ["segmentation/pytorch_model.bin", "plda/plda.npz"])
def test_a_part_that_is_missing_is_named(folder: Path, tmp_path: Path, name: str) -> None:
    copy = shutil.copytree(folder, tmp_path / "copy")
    (copy / name).unlink()
    with pytest.raises(MissingWeights, match=rf"has no {name}|has no {Path(name).name}"):
        diarizer(copy)


@pytest.mark.parametrize(
    ("published", "other", "said"),
    [
        ("pipelines.SpeakerDiarization", "pipelines.VoiceActivityDetection", "name"),
        ("params:\n  clustering", "preprocessors: {}\nparams:\n  clustering", "preprocessors"),
        ("VBxClustering", "OracleClustering", "clustering"),
        ("Fb: 0.8", "Fc: 0.8", "Fb"),
        ("$model/segmentation", "/etc/segmentation", "must name segmentation as"),
        ("$model/embedding", "$model/../embedding", "not a path below"),
        ("min_duration_off", "threshold", "threshold if, and only if"),
        (COMMUNITY_1, "a: [", "is no YAML"),
    ],
)
def test_a_configuration_of_something_else_is_refused(
    folder: Path, tmp_path: Path, published: str, other: str, said: str
) -> None:
    shutil.copytree(folder / "segmentation", tmp_path / "segmentation")
    (tmp_path / "config.yaml").write_text(
        COMMUNITY_1.replace(published, other).replace("threshold: 0.0", "threshold: 0.5")
    )
    with pytest.raises(ValueError, match=said):
        diarizer(tmp_path)


def test_what_does_not_fit_the_pipeline_is_refused(folder: Path, engine: Any, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="its own embeddings only"):
        diarizer(folder, embedding=str(folder / "embedding"))
    with pytest.raises(ValueError, match=r"min_cluster_size must be left out: .*VBxClustering"):
        engine.adjust(PyannoteSettings(model=str(folder), device="cpu", min_cluster_size=3))
    copy = shutil.copytree(folder, tmp_path / "copy")
    np.savez(copy / "plda" / "xvec_transform.npz", mean1=np.zeros(9), mean2=np.zeros(4), lda=np.zeros((9, 4)))
    with pytest.raises(ValueError, match="no PLDA of embeddings of 256"):
        diarizer(copy)
    with pytest.raises(ValueError, match="'PyanNet', which must be one of WeSpeakerResNet34"):
        build_encoder(WespeakerSettings(model=str(folder / "segmentation"), device="cpu"))


# --- what its checkpoints may hold -----------------------------------------------------------------------------


class Harmful:
    def __reduce__(self) -> tuple[object, ...]:
        return (os.mkdir, (os.environ["HARMED"],))


@pytest.mark.parametrize("part", ["model", "numbers"])
def test_a_checkpoint_that_would_run_code_is_refused_and_does_not_run_it(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, part: str
) -> None:
    monkeypatch.setenv("HARMED", str(tmp_path / "harmed"))
    copy = shutil.copytree(folder, tmp_path / "copy")
    if part == "model":
        write_model(copy / "embedding", embedding_network(), callbacks=[Harmful()])
    else:
        np.savez(copy / "plda" / "plda.npz", mu=np.array([Harmful()], object), allow_pickle=True)
    with pytest.raises(ValueError, match=r"more than tensors|holds no PLDA"):
        diarizer(copy)
    assert not (tmp_path / "harmed").exists()


@pytest.mark.parametrize("content", [b"", b"no checkpoint"])
def test_a_damaged_checkpoint_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "pytorch_model.bin").write_bytes(content)
    with pytest.raises(ValueError, match=r"pytorch_model\.bin is damaged"):
        build_encoder(WespeakerSettings(model=str(tmp_path), device="cpu"))


def test_a_checkpoint_that_lacks_a_tensor_or_has_another_shape_is_refused(tmp_path: Path) -> None:
    import torch

    model = embedding_network()
    state = model.state_dict()
    weight = state.pop("resnet.seg_1.weight")
    settings = WespeakerSettings(model=str(tmp_path), device="cpu")
    write_model(tmp_path, model, state_dict=state)
    with pytest.raises(ValueError, match=r"lacks resnet\.seg_1\.weight"):
        build_encoder(settings)
    write_model(tmp_path, model, state_dict={**state, "resnet.seg_1.weight": weight[:9]})
    with pytest.raises(ValueError, match="does not hold the network"):
        build_encoder(settings)
    (tmp_path / "pytorch_model.bin").unlink()
    torch.save({"seg_1.weight": weight, "layer1.0.conv1.weight": weight}, tmp_path / "avg_model.pt")
    with pytest.raises(ValueError, match="WeSpeaker's ResNets have"):
        build_encoder(settings)


# --- WeSpeaker's encoder ---------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def encoder(folder: Path) -> SpeakerEncoder:
    return build_encoder(WespeakerSettings(model=str(folder / "embedding"), device="cpu"))


def test_embeddings_are_those_of_pyannote_whatever_their_company(
    folder: Path, encoder: SpeakerEncoder, pcm: Pcm
) -> None:
    import torch
    from pyannote.audio import Inference, Model

    windows = [pcm[:SECOND], pcm[SECOND : SECOND + 6400], pcm[2 * SECOND : 3 * SECOND]]
    inference = Inference(Model.from_pretrained(folder / "embedding"), window="whole")
    expected = np.stack(
        [inference({"waveform": torch.from_numpy(window.copy())[None], "sample_rate": SECOND}) for window in windows]
    )
    embeddings = encoder.embed(windows)

    assert embeddings.shape == (3, encoder.dimension) == (3, 256)
    assert embeddings.dtype == np.float32
    np.testing.assert_allclose(embeddings, expected / np.linalg.norm(expected, axis=1, keepdims=True), atol=1e-5)


def test_wespeakers_own_checkpoint_is_the_same_encoder(tmp_path: Path, encoder: SpeakerEncoder, pcm: Pcm) -> None:
    own = build_encoder(WespeakerSettings(model=str(build_wespeaker(tmp_path / "own")), device="cpu"))
    other = build_encoder(WespeakerSettings(model=str(build_wespeaker(tmp_path / "other", seed=6)), device="cpu"))

    np.testing.assert_array_equal(own.embed([pcm[:SECOND]]), encoder.embed([pcm[:SECOND]]))
    assert own.name == encoder.name
    assert own.name.startswith("wespeaker-")
    assert other.name != own.name


def test_too_little_speech_is_refused(encoder: SpeakerEncoder, pcm: Pcm) -> None:
    with pytest.raises(InputError, match=r"at least 0\.4 s"):
        encoder.embed([pcm[:6399]])
    assert encoder.embed([]).shape == (0, 256)
