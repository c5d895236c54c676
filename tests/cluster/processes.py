"""Finding the processes of the running system."""

import time

import psutil

WAIT_S = 60.0


def replica(deployment: str) -> psutil.Process:
    """Find the process of a deployment's replica by the title that Ray gives it."""
    deadline = time.monotonic() + WAIT_S
    while time.monotonic() < deadline:
        for process in psutil.Process().children(recursive=True):
            try:
                if f"ServeReplica:graphs:{deployment}" in " ".join(process.cmdline()):
                    return process
            except psutil.Error:
                continue
        time.sleep(0.2)
    raise AssertionError(f"no replica of {deployment} is running")
