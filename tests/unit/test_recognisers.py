"""A second recogniser for the languages that it knows."""

import numpy as np
import pytest
from fake_roles import FakeAsr

from graphs.common.recognisers import SpecialisedAsr
from models.asr import Segment

pytestmark = [pytest.mark.unit, pytest.mark.anyio]


@pytest.mark.parametrize(
    ("language", "heard"), [("en", "by the small one"), ("ru", "by the large one"), (None, "by the large one")]
)
async def test_a_language_that_the_second_recogniser_knows_is_its_own(language: str | None, heard: str) -> None:
    small = FakeAsr("by the small one", languages=("en",))
    large = FakeAsr("by the large one", languages=("ru", "en"))
    asr = SpecialisedAsr(small, large)
    stream = asr.transcribe(np.ones(16_000, np.float32), language=language, correlation_id="")
    items = [item async for item in stream]
    assert [item.text for item in items if isinstance(item, Segment)] == [heard]
    assert await asr.languages() == ("ru", "en")
    assert (await asr.in_use()).parts == (small.engine_in_use, large.engine_in_use)
