"""What the processes of a start import: each import is paid by every one of them, on every start."""

import subprocess
import sys

import pytest

pytestmark = [pytest.mark.unit, pytest.mark.slow]

NEVER = ("torch", "transformers", "alembic", "sqlalchemy", "boto3", "openai", "gigachat", "huggingface_hub")
ENGINES = ("onnxruntime", "ctranslate2", "cv2", "scipy", "pocketsphinx", "PIL")
ROLES = tuple(
    f"deployments.{role}" for role in ("asr", "diarization", "lipsync", "speaker", "speech", "spoof", "translation")
)


@pytest.mark.parametrize(
    ("imported", "left_out"),
    [
        # The launcher checks its configuration by the builders' arguments.
        pytest.param(["graphs.app"], [*NEVER, *ENGINES, *ROLES, "graphs.worker", "graphs.http"], id="builders"),
        # A replica imports its role, and then the engine that it was given.
        pytest.param(ROLES, [*NEVER, *ENGINES, "graphs"], id="roles"),
        # SciPy's signal package, with the statistics that it imports, takes a second of CPU time.
        pytest.param(
            ["models.diarization.clustering", "models.speaker.compact", "models.spoof.compact"],
            [*NEVER, "ray", "scipy.signal", "scipy.stats", "scipy.optimize"],
            id="embedded engines",
        ),
        pytest.param(
            ["graphs.worker", "graphs.http.server.live", "graphs.http.server.ingress"],
            [*NEVER, *ENGINES],
            id="worker and ingresses",
        ),
    ],
)
def test_a_process_imports_only_what_its_part_needs(imported: list[str], left_out: list[str]) -> None:
    program = f"import sys, {', '.join(imported)}; print([name for name in {left_out!r} if name in sys.modules])"

    printed = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout

    assert printed.strip() == "[]"
