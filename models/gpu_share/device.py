"""GPU memory as the driver reports it, without loading a runtime or creating a context."""

import ctypes
import os
from functools import cache
from typing import Any

_DRIVER = "libcuda.so.1"


def gpu_bytes() -> int | None:
    """Return the memory of the first GPU that this process may use; None where there is none."""
    driver = _driver()
    if driver is None:
        return None
    device, memory = ctypes.c_int(), ctypes.c_size_t()
    if driver.cuDeviceGet(ctypes.byref(device), 0):
        return None
    if driver.cuDeviceTotalMem_v2(ctypes.byref(memory), device):
        return None
    return memory.value


def gpu_name() -> str | None:
    """Return what that GPU is called; None where there is none."""
    driver = _driver()
    device, name = ctypes.c_int(), ctypes.create_string_buffer(256)
    if driver is None or driver.cuDeviceGet(ctypes.byref(device), 0):
        return None
    return None if driver.cuDeviceGetName(name, len(name), device) else name.value.decode()


def held_bytes(pid: int | None = None) -> int | None:
    """Return the GPU memory that a process holds, whatever in it holds it; this one if none is named.

    None before its first use of a GPU, and where it can't be told: there is no NVML, or the driver does not show it the
    processes of this container.
    """
    nvml = _nvml()
    if nvml is None:
        return None
    try:
        processes = [process for handle in _handles(nvml) for process in _processes(nvml, handle)]
    except nvml.NVMLError:
        return None
    held = [process.usedGpuMemory for process in processes if process.pid == (pid or os.getpid())]
    return sum(held) if held and None not in held else None


@cache
def _driver() -> Any:
    try:
        driver = ctypes.CDLL(_DRIVER)
    except OSError:
        return None
    return None if driver.cuInit(0) else driver


@cache
def _nvml() -> Any:
    try:
        import pynvml
    except ImportError:
        return None
    try:
        pynvml.nvmlInit()
    except pynvml.NVMLError:
        return None
    return pynvml


def _handles(nvml: Any) -> list[Any]:
    # All of them: their numbers here are not those that CUDA gives them.
    return [nvml.nvmlDeviceGetHandleByIndex(number) for number in range(nvml.nvmlDeviceGetCount())]


def _processes(nvml: Any, handle: Any) -> list[Any]:
    processes: list[Any] = nvml.nvmlDeviceGetComputeRunningProcesses(handle)
    return processes
