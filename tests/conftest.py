"""Fixtures that every kind of test may use."""

from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parent.parent
SHARED_DATA = REPOSITORY.parent / "shared" / "data"

pytest_plugins = ["postgres"]


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="session")
def librispeech() -> Path:
    """The folder with real speech for checking; a user's clone has none of it."""
    folder = SHARED_DATA / "librispeech"
    if not folder.is_dir():
        pytest.skip("../shared/data/librispeech is not beside this checkout")
    return folder
