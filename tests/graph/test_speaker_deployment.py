"""The speaker deployment over the spectral encoder, and through a handle in Serve's local testing mode."""

import numpy as np
import pytest
from numpy.typing import NDArray
from ray import serve

from deployments.sample import warm_up_speech
from deployments.speaker import (
    MAX_SECONDS_PER_CALL,
    MAX_WINDOWS_PER_CALL,
    SpeakerClient,
    SpeakerReplica,
    speaker_deployment,
)
from models.errors import InputError
from models.speaker import SpectralSettings, build

pytestmark = [pytest.mark.graph, pytest.mark.anyio]

SECOND = 16_000


@pytest.fixture(scope="module")
def replica() -> SpeakerReplica:
    return SpeakerReplica(SpectralSettings())


def windows(count: int) -> list[NDArray[np.float32]]:
    """Different seconds of speech; read-only, as they come out of a handle."""
    speech = warm_up_speech()
    made = [speech[start : start + SECOND] for start in range(0, 500 * count, 500)]
    for window in made:
        window.flags.writeable = False
    return made


async def test_each_window_is_embedded_and_the_encoder_named(replica: SpeakerReplica) -> None:
    given = windows(MAX_WINDOWS_PER_CALL)
    embeddings, encoder = await replica.embed(given, correlation_id="cid")
    assert encoder == "spectral"
    np.testing.assert_array_equal(embeddings, build(SpectralSettings()).embed(given))


async def test_no_windows_have_no_embeddings(replica: SpeakerReplica) -> None:
    embeddings, _encoder = await replica.embed([])
    assert len(embeddings) == 0


async def test_too_little_speech_is_the_callers_error(replica: SpeakerReplica) -> None:
    with pytest.raises(InputError, match=r"0\.4 s"):
        await replica.embed([np.zeros(6399, np.float32)])


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ([np.zeros((1, SECOND), np.float32)], r"float32\[samples\]"),
        ([np.zeros(SECOND, np.float64)], "float64"),
        ([np.full(SECOND, np.nan, np.float32)], "finite"),
        ([np.zeros(SECOND, np.float32)] * (MAX_WINDOWS_PER_CALL + 1), "at most 64 windows"),
        ([np.zeros(SECOND * MAX_SECONDS_PER_CALL, np.float32), np.zeros(SECOND, np.float32)], "at most 300 s"),
    ],
)
async def test_what_is_no_speech_or_too_much_is_refused(
    replica: SpeakerReplica, given: list[NDArray[np.float32]], said: str
) -> None:
    with pytest.raises(ValueError, match=said):
        await replica.embed(given)


async def test_the_role_behind_its_handle_embeds() -> None:
    handle = serve.run(
        speaker_deployment.bind(SpectralSettings(), 1), name="speaker", route_prefix=None, _local_testing_mode=True
    )
    given = windows(2)
    embeddings, encoder = await SpeakerClient(handle).embed(given, correlation_id="cid")
    assert encoder == "spectral"
    np.testing.assert_array_equal(embeddings, build(SpectralSettings()).embed(given))
