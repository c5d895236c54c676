"""Caches of weights that are the test's own: nothing of the machine's is seen, and nothing is left in them."""

import shutil
from dataclasses import dataclass
from pathlib import Path

import pytest

COMMIT = "c0ffee" + 34 * "0"


@dataclass(frozen=True)
class WeightsCaches:
    """The node's cache, and the Hugging Face cache."""

    node: Path
    hub: Path

    def put_from_hub(self, repository: str, content: Path) -> Path:
        """Lay a folder into the Hugging Face cache, as ``hf download`` would."""
        storage = self.hub / f"models--{repository.replace('/', '--')}"
        (storage / "refs").mkdir(parents=True)
        (storage / "refs" / "main").write_text(COMMIT)
        return Path(shutil.copytree(content, storage / "snapshots" / COMMIT))


@pytest.fixture
def weights_caches(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> WeightsCaches:
    caches = WeightsCaches(tmp_path / "weights-cache", tmp_path / "hub-cache")
    monkeypatch.setenv("VOICEGRAPH_WEIGHTS", str(caches.node))
    monkeypatch.delenv("VOICEGRAPH_WEIGHTS_MIRROR", raising=False)
    # The library reads its environment once.
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(caches.hub))
    return caches
