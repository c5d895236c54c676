"""Models on ONNX Runtime, with the GPU's provider where the installed build has it; here it is a fake."""

from pathlib import Path
from typing import Any

import onnxruntime
import pytest

from models import onnx_session
from models.gpu_share import CONTEXT_BYTES, GpuShare, bounds
from models.onnx_session import open_session
from models.spoof.checkpoint import SHIPPED

pytestmark = pytest.mark.unit

GIBIBYTE = 1024**3
CUDA, CPU = "CUDAExecutionProvider", "CPUExecutionProvider"


class Session:
    """Records what it was made with; can be made to have fallen back to the CPU."""

    fallen_back = False

    def __init__(self, model: str, *, sess_options: Any, providers: list[Any]) -> None:
        self.model = model
        self.options = sess_options
        self.providers = providers

    def get_providers(self) -> list[str]:
        return [CPU] if self.fallen_back else [each if isinstance(each, str) else each[0] for each in self.providers]


@pytest.fixture
def gpu_build(monkeypatch: pytest.MonkeyPatch) -> None:
    """An onnxruntime-gpu beside a GPU, in a process that may hold a half of it."""
    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: [CUDA, CPU])
    monkeypatch.setattr(onnxruntime, "InferenceSession", Session)
    monkeypatch.setattr(onnxruntime, "preload_dlls", lambda: None, raising=False)
    monkeypatch.setattr(onnx_session, "gpu_bytes", lambda: 24 * GIBIBYTE)
    monkeypatch.setattr(bounds, "_share", GpuShare(0.5, 24 * GIBIBYTE, models=2))


def test_on_a_gpu_the_arena_is_held_to_the_share(gpu_build: None) -> None:
    session = open_session(Path("voice.onnx"), device="auto", threads=3)
    (provider, options), fallback = session.providers
    assert (provider, fallback) == (CUDA, CPU)
    assert options["gpu_mem_limit"] == str((12 * GIBIBYTE - CONTEXT_BYTES) // 2)
    assert options["arena_extend_strategy"] == "kSameAsRequested"
    assert session.options.intra_op_num_threads == 3


def test_a_whole_gpu_sets_no_limit(gpu_build: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bounds, "_share", GpuShare(1.0, 24 * GIBIBYTE))
    session = open_session(Path("voice.onnx"), device="cuda", threads=1)
    assert "gpu_mem_limit" not in session.providers[0][1]


def test_the_settings_may_keep_a_model_on_the_cpu(gpu_build: None) -> None:
    assert open_session(Path("voice.onnx"), device="cpu", threads=1).providers == [CPU]


def test_without_a_gpu_auto_is_the_cpu_and_cuda_is_refused(gpu_build: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(onnx_session, "gpu_bytes", lambda: None)
    assert open_session(Path("voice.onnx"), device="auto", threads=1).providers == [CPU]
    with pytest.raises(ValueError, match="no GPU here"):
        open_session(Path("voice.onnx"), device="cuda", threads=1)


def test_a_build_for_cpus_refuses_cuda_and_says_which_one_is_needed() -> None:
    with pytest.raises(ValueError, match="onnxruntime-gpu"):
        open_session(SHIPPED, device="cuda", threads=1)


def test_a_provider_that_does_not_start_is_refused_or_said(
    gpu_build: None, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(Session, "fallen_back", True)
    with pytest.raises(ValueError, match="can't use the GPU"):
        open_session(Path("voice.onnx"), device="cuda", threads=1)
    open_session(Path("voice.onnx"), device="auto", threads=1)
    assert "computes on the CPU" in caplog.text


def test_a_real_model_runs_on_the_cpu() -> None:
    assert open_session(SHIPPED, device="auto", threads=1).get_providers() == [CPU]
