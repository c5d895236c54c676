"""What importing the speech recognisers costs."""

import subprocess
import sys

import pytest

pytestmark = [pytest.mark.unit, pytest.mark.slow]

HEAVY = ("torch", "transformers", "faster_whisper", "ctranslate2", "pocketsphinx", "onnxruntime", "ray")


@pytest.mark.parametrize("module", ["models.asr", "models.asr.pocketsphinx_engine", "models.asr.faster_whisper_engine"])
def test_importing_loads_no_model_runtime(module: str) -> None:
    program = f"import sys, {module}; print([name for name in {HEAVY} if name in sys.modules])"

    printed = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout

    assert printed.strip() == "[]"
