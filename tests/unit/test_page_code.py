"""The page's own logic, where it needs no browser, run by Node.js."""

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.unit

WEB = Path(__file__).parents[2] / "web"


def run(script: str) -> Any:
    """Run a script that imports from ``web/`` and logs its result as JSON."""
    node = shutil.which("node")
    if node is None:
        pytest.skip("there is no Node.js here")
    done = subprocess.run([node, "--input-type=module", "-e", script], cwd=WEB, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.mark.parametrize(
    ("sought", "found"),
    [
        ("well-known", [[0, 5, 15]]),
        ("1/2 (a)", [[0, 16, 23]]),
        ("ЕЩЁ", [[1, 0, 3], [1, 4, 7]]),
        ("ещё еще", [[1, 0, 7]]),
        ("well  known", []),
        ("  ", []),
    ],
)
def test_the_search_of_a_transcript_finds_texts_with_signs_in_them(sought: str, found: list[list[int]]) -> None:
    paragraphs = [{"text": "some well-known 1/2 (a) [b]"}, {"text": "ещё еще"}]
    script = "import {occurrences} from './transcript/paragraphs.js';\n"
    assert (
        run(f"{script}console.log(JSON.stringify(occurrences({json.dumps(paragraphs)}, {json.dumps(sought)})));")
        == found
    )
