"""A process's share of a GPU, on a machine that has none: the driver and PyTorch's CUDA functions are fakes."""

import logging
import os
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from models import gpu_share
from models.errors import InputError, OutOfGpuMemory
from models.gpu_share import bounds as module
from models.gpu_share import device as driver
from models.torch_device import device_of

pytestmark = pytest.mark.unit

GIBIBYTE = 1024**3
GPU = 24 * GIBIBYTE


class Gpu:
    """What the fakes say and were told."""

    def __init__(self) -> None:
        self.told: list[str] = []
        self.fractions: list[float] = []
        self.reserved = 0
        self.held: int | None = None


@pytest.fixture
def gpu(monkeypatch: pytest.MonkeyPatch) -> Gpu:
    """A GPU of 24 GiB, and a process that has not used it yet."""
    made = Gpu()

    def fraction(value: float, device: int) -> None:
        assert device == 0
        made.told.append("cap")
        made.fractions.append(value)

    monkeypatch.setattr(module, "gpu_bytes", lambda: GPU)
    monkeypatch.setattr(module, "held_bytes", lambda: made.held)
    monkeypatch.setattr(module, "_share", None)
    monkeypatch.setattr(module, "_beside_tensors", gpu_share.CONTEXT_BYTES)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "is_initialized", lambda: made.reserved > 0)
    monkeypatch.setattr(torch.cuda, "memory_reserved", lambda device: made.reserved)
    monkeypatch.setattr(torch.cuda, "set_per_process_memory_fraction", fraction)
    monkeypatch.setattr(torch.cuda, "empty_cache", lambda: made.told.append("empty"))
    for name in ("PYTORCH_ALLOC_CONF", "PYTORCH_CUDA_ALLOC_CONF", "CT2_CUDA_CACHING_ALLOCATOR_CONFIG"):
        monkeypatch.setenv(name, "")
        monkeypatch.delenv(name)
    return made


def test_pytorch_is_held_to_the_share_less_the_context_before_an_engine_puts_anything_there(gpu: Gpu) -> None:
    gpu_share.set_share(0.25)
    assert device_of("auto") == torch.device("cuda")
    assert gpu.fractions == [pytest.approx(0.25 - gpu_share.CONTEXT_BYTES / GPU)]


def test_an_engine_on_the_cpu_caps_nothing(gpu: Gpu) -> None:
    gpu_share.set_share(0.25)
    assert device_of("cpu") == torch.device("cpu")
    assert gpu.told == []


@pytest.mark.parametrize("gpus", [1.0, 2.0])
def test_whole_gpus_are_not_capped(gpu: Gpu, gpus: float) -> None:
    share = gpu_share.set_share(gpus)
    assert share is not None and not share.bounded and share.bytes == gpus * GPU
    device_of("cuda")
    assert (gpu.told, gpu_share.onnx_limit()) == ([], None)
    assert "CT2_CUDA_CACHING_ALLOCATOR_CONFIG" not in os.environ


def test_a_share_without_room_for_a_context_is_refused_with_the_numbers(gpu: Gpu) -> None:
    with pytest.raises(gpu_share.ShareExceeded, match=r"0\.02 of a GPU are 492 MiB.*600 MiB.*num_gpus"):
        gpu_share.set_share(0.02)
    assert gpu_share.share() is None


def test_a_share_of_no_gpu_is_none(gpu: Gpu, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    monkeypatch.setattr(module, "gpu_bytes", lambda: None)
    assert gpu_share.set_share(0.5) is None
    assert "no GPU" in caplog.text


def test_the_libraries_caches_are_bounded_before_their_first_use(gpu: Gpu) -> None:
    gpu_share.set_share(0.05)
    room = int(0.05 * GPU) - gpu_share.CONTEXT_BYTES
    assert os.environ["CT2_CUDA_CACHING_ALLOCATOR_CONFIG"] == f"4,3,12,{room // 8}"
    assert os.environ["PYTORCH_ALLOC_CONF"] == "expandable_segments:True"


def test_an_operators_own_allocator_settings_stay(gpu: Gpu, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTORCH_CUDA_ALLOC_CONF", "max_split_size_mb:64")
    monkeypatch.setenv("CT2_CUDA_CACHING_ALLOCATOR_CONFIG", "4,3,10,1000")
    gpu_share.set_share(0.5)
    assert "PYTORCH_ALLOC_CONF" not in os.environ
    assert os.environ["CT2_CUDA_CACHING_ALLOCATOR_CONFIG"] == "4,3,10,1000"


def test_models_on_onnx_runtime_divide_the_share(gpu: Gpu) -> None:
    gpu_share.set_share(0.5, models=4)
    assert gpu_share.onnx_limit() == (GPU // 2 - gpu_share.CONTEXT_BYTES) // 4


def test_once_warm_pytorch_is_held_to_what_the_rest_of_the_process_really_leaves(gpu: Gpu) -> None:
    gpu_share.set_share(0.25)
    gpu.reserved, gpu.held = 2 * GIBIBYTE, 3 * GIBIBYTE
    assert gpu_share.check_fit() == 3 * GIBIBYTE
    assert gpu.told == ["empty", "cap"]
    assert gpu.fractions == [pytest.approx(5 / 24)]
    gpu_share.measure()
    assert len(gpu.fractions) == 1
    gpu.held = gpu.reserved + 1
    gpu_share.measure()
    assert gpu.fractions[1:] == [pytest.approx(0.25 - gpu_share.CONTEXT_BYTES / GPU)]


def test_an_engine_that_holds_more_than_its_share_does_not_start(gpu: Gpu) -> None:
    gpu_share.set_share(0.25)
    gpu.held = 7 * GIBIBYTE
    with pytest.raises(gpu_share.ShareExceeded, match=r"holds 7168 MiB.*0\.25 of 24576 MiB.*6144 MiB.*to 0\.3 or more"):
        gpu_share.check_fit()


def test_without_the_drivers_word_pytorchs_own_count_is_taken(gpu: Gpu) -> None:
    gpu_share.set_share(0.25)
    gpu.reserved = 6 * GIBIBYTE
    with pytest.raises(gpu_share.ShareExceeded):
        gpu_share.check_fit()


def test_what_can_not_be_told_is_said(gpu: Gpu, caplog: pytest.LogCaptureFixture) -> None:
    gpu_share.set_share(0.25)
    assert gpu_share.check_fit() is None
    assert "not verified" in caplog.text


def test_the_process_finds_itself_among_those_of_every_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    own, other = os.getpid(), 1
    listed = {0: [(other, 5), (own, 7)], 1: [(own, 11)], 2: []}
    nvml = SimpleNamespace(
        NVMLError=RuntimeError,
        nvmlDeviceGetCount=lambda: len(listed),
        nvmlDeviceGetHandleByIndex=lambda number: number,
        nvmlDeviceGetComputeRunningProcesses=lambda handle: [
            SimpleNamespace(pid=pid, usedGpuMemory=used) for pid, used in listed[handle]
        ],
    )
    monkeypatch.setattr(driver, "_nvml", lambda: nvml)
    assert driver.held_bytes() == 18
    listed.update({0: [(other, 5)], 1: []})
    assert driver.held_bytes() is None


def onnx(text: str) -> Exception:
    from onnxruntime.capi.onnxruntime_pybind11_state import RuntimeException

    error: Exception = RuntimeException(text)
    return error


OUT_OF_MEMORY = [
    torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB."),
    RuntimeError("CUDA error: out of memory"),
    RuntimeError("CUDA failed with error out of memory"),
    RuntimeError("cuBLAS failed with status CUBLAS_STATUS_ALLOC_FAILED"),
    onnx("Failed to allocate memory for requested buffer of size 1048576"),
    onnx("Available memory of 1000 is smaller than requested bytes of 4096"),
    OutOfGpuMemory("no room"),
]
FAULTS = [
    RuntimeError("CUDA error: an illegal memory access was encountered"),
    RuntimeError("CUDA error: device-side assert triggered"),
    RuntimeError("CUDA failed with error unspecified launch failure"),
    RuntimeError("cuDNN error: CUDNN_STATUS_EXECUTION_FAILED"),
    onnx("CUDA failure 700: an illegal memory access was encountered"),
]
OTHERS = [
    MemoryError("CUDA out of memory"),
    RuntimeError("the voice says nothing"),
    InputError("odd", "CUDA error: out of memory"),
    ValueError("CUDA out of memory"),
]


def named(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"


@pytest.mark.parametrize("error", OUT_OF_MEMORY, ids=named)
def test_every_runtimes_want_of_memory_is_known(error: Exception) -> None:
    assert gpu_share.is_out_of_memory(error)
    assert not gpu_share.is_gpu_fault(error)


@pytest.mark.parametrize("error", FAULTS, ids=named)
def test_errors_that_end_the_use_of_the_gpu_are_known(error: Exception) -> None:
    assert gpu_share.is_gpu_fault(error)
    assert not gpu_share.is_out_of_memory(error)


@pytest.mark.parametrize("error", OTHERS, ids=named)
def test_the_hosts_memory_and_other_errors_are_neither(error: Exception) -> None:
    assert not gpu_share.is_out_of_memory(error)
    assert not gpu_share.is_gpu_fault(error)


def test_an_error_is_known_by_its_cause() -> None:
    error = ValueError("a model can't be loaded")
    error.__cause__ = torch.OutOfMemoryError("CUDA out of memory.")
    assert gpu_share.is_out_of_memory(error)


class Held:
    """Stands for a tensor."""


def test_work_is_tried_again_when_what_the_first_attempt_held_is_free(gpu: Gpu) -> None:
    from weakref import ref

    gpu.reserved = 1
    held: list[Any] = []

    def work(number: int, *, more: int) -> int:
        gpu.told.append("work")
        if not held:
            tensor = Held()
            held.append(ref(tensor))
            raise torch.OutOfMemoryError("CUDA out of memory.")
        assert held[0]() is None
        return number + more

    before = gpu_share.recoveries()
    assert gpu_share.retry_once(work, 1, more=2) == 3
    assert gpu.told == ["work", "empty", "work"]
    assert gpu_share.recoveries() == before + 1


def test_work_that_never_fits_fails_after_the_second_attempt(gpu: Gpu) -> None:
    def work() -> None:
        gpu.told.append("work")
        raise torch.OutOfMemoryError("CUDA out of memory.")

    with pytest.raises(torch.OutOfMemoryError):
        gpu_share.retry_once(work)
    assert gpu.told == ["work", "work"]


def test_other_errors_are_not_tried_again(gpu: Gpu) -> None:
    def work() -> None:
        gpu.told.append("work")
        raise RuntimeError("CUDA error: device-side assert triggered")

    with pytest.raises(RuntimeError, match="assert"):
        gpu_share.retry_once(work)
    assert gpu.told == ["work"]


def test_a_batch_that_does_not_fit_is_halved_and_done_again(gpu: Gpu) -> None:
    tried = []

    def run(start: int, stop: int) -> list[int]:
        tried.append(stop - start)
        if stop - start > 3:
            raise torch.OutOfMemoryError
        return list(range(start, stop))

    done = gpu_share.in_batches(10, 8, run)

    assert tried == [8, 4, 2, 2, 2, 2, 2]
    assert [item for batch in done for item in batch] == list(range(10))


def test_one_item_that_does_not_fit_is_an_error(gpu: Gpu) -> None:
    def run(start: int, stop: int) -> None:
        raise torch.OutOfMemoryError

    with pytest.raises(torch.OutOfMemoryError):
        gpu_share.in_batches(4, 4, run)


def test_the_share_is_set_without_loading_any_runtime() -> None:
    import subprocess
    import sys

    program = (
        "import sys, logging; logging.disable(); import models.gpu_share as g; g.set_share(0.5); g.measure(); "
        "print([name for name in ('torch', 'onnxruntime', 'ctranslate2') if name in sys.modules])"
    )
    said = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert said.stdout.strip() == "[]"
    assert logging.root.manager.disable == 0
