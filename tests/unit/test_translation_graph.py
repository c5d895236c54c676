"""The translation graph over a fake role, and its routes."""

import math
from dataclasses import replace
from typing import Any

import pytest
from fake_roles import ABSENT, FakeAsr, FakeSpeech, FakeTranslation
from ingress import Serve

from deployments.errors import RoleUnavailable
from graphs.translation.text import SENTENCES_PER_CALL, TranslationGraph
from models.errors import InputError
from models.speech import Voice
from models.translation import Quality

pytestmark = [pytest.mark.unit, pytest.mark.anyio]

PAIRS = {"en": frozenset({"es", "zh"}), "es": frozenset({"en"})}
QUALITY = Quality(perplexity=2.0, average_probability=0.6, minimum_probability=0.1)


VOICES = (
    Voice("a", "A", ("en", "en-gb"), "m", 16_000),
    Voice("b", "B", ("es",), "m", 16_000, clones=True),
)


def translator(quality: Quality | dict[str, Quality] = QUALITY) -> FakeTranslation:
    return FakeTranslation(PAIRS, quality)


async def test_the_layout_stays_and_equal_sentences_are_translated_once() -> None:
    role = translator()
    done = await TranslationGraph(role).translate("# A b.\n\n  - One.  One.\n12 %\n", "en", "es", "cid")
    assert done.text == "# A B.\n\n  - ONE.  ONE.\n12 %\n"
    assert role.calls == [["A b.", "One."]]
    assert role.correlation_ids == {"cid"}
    assert [sentence.source for sentence in done.sentences] == ["A b.", "One.", "One."]
    assert not done.suspect
    assert done.model == "org/m2m100_tiny"


async def test_a_long_text_goes_in_calls_of_bounded_size() -> None:
    role = translator()
    text = "\n".join(f"line {number}" for number in range(300))
    assert (await TranslationGraph(role).translate(text, "en", "es", "cid")).text == text.upper()
    assert [len(call) for call in role.calls] == [SENTENCES_PER_CALL, SENTENCES_PER_CALL, 300 - 2 * SENTENCES_PER_CALL]


async def test_quality_is_over_the_tokens_of_all_sentences() -> None:
    qualities = {"Abcd.": Quality(2.0, 0.5, 0.2), "Abcdefghijklmn.": Quality(4.0, 0.9, 0.4)}
    done = await TranslationGraph(translator(qualities)).translate("Abcd. Abcdefghijklmn.", "en", "es", "cid")
    assert done.quality is not None
    assert done.tokens == 20
    assert done.quality.perplexity == pytest.approx(math.exp((5 * math.log(2) + 15 * math.log(4)) / 20))
    assert done.quality.average_probability == pytest.approx((5 * 0.5 + 15 * 0.9) / 20)
    assert done.quality.minimum_probability == 0.2


async def test_without_probabilities_there_is_no_quality() -> None:
    done = await TranslationGraph(translator({})).translate("One.", "en", "es", "cid")
    assert done.quality is None
    assert done.sentences[0].quality is None


async def test_a_suspect_sentence_makes_the_text_suspect_and_keeps_its_words() -> None:
    done = await TranslationGraph(translator()).translate("Fine. An endless one.", "en", "es", "cid")
    assert done.suspect
    assert [sentence.suspect for sentence in done.sentences] == [None, "cut off"]
    assert done.text == "FINE. AN ENDLESS ONE."


async def test_text_without_letters_needs_a_pair_that_exists_all_the_same() -> None:
    role = translator()
    graph = TranslationGraph(role)
    done = await graph.translate("12.5 % 😀\n---", "en", "es", "cid")
    assert (done.text, done.quality, done.sentences) == ("12.5 % 😀\n---", None, ())
    assert role.calls == []
    with pytest.raises(InputError, match="Pairs: en-es, en-zh, es-en"):
        await graph.translate("12", "en", "ru", "cid")


@pytest.mark.parametrize(("text", "source", "code"), [(" \n", "en", "empty_text"), ("Hi.", "auto", "unsupported_pair")])
async def test_bad_input_is_refused(text: str, source: str, code: str) -> None:
    with pytest.raises(InputError) as refused:
        await TranslationGraph(translator()).translate(text, source, "es", "cid")
    assert refused.value.code == code
    assert source != "auto" or "not detected" in refused.value.message


def roles(translation: FakeTranslation | None = None) -> Any:
    return replace(
        ABSENT, asr=FakeAsr(languages=("ru", "en")), translation=translation or translator(), speech=FakeSpeech(*VOICES)
    )


OWN = {"text": "The house is red.\n\n- Two", "source": "en", "target": "es"}
LINGUA = {"text": "The house is red.", "src_lang": "en", "tgt_lang": "es"}


def test_the_own_shape_gets_text_quality_and_sentences(serve: Serve) -> None:
    translation = translator()
    with serve(roles=roles(translation)) as client:
        response = client.post("/v1/translate", json=OWN, headers={"X-Correlation-ID": "mine"})
    assert response.status_code == 200
    body = response.json()
    quality = {"perplexity": 2.0, "average_probability": 0.6, "minimum_probability": 0.1}
    assert body["text"] == "THE HOUSE IS RED.\n\n- TWO"
    assert (body["source"], body["target"], body["suspect"]) == ("en", "es", False)
    assert body["quality"] == pytest.approx(quality)
    assert body["sentences"][1] == {"source": "Two", "text": "TWO", "quality": quality, "suspect": None}
    assert body["timings"].keys() == {"split", "translation"}
    assert translation.correlation_ids == {"mine"}


def test_quality_is_null_where_the_engine_has_no_probabilities(serve: Serve) -> None:
    with serve(roles=roles(translator({}))) as client:
        assert client.post("/v1/translate", json=OWN).json()["quality"] is None
        assert "quality_metrics" not in client.post("/v1/translate", json=LINGUA).json()


def test_linguas_shape_gets_linguas_response(serve: Serve) -> None:
    with serve(roles=roles()) as client:
        body = client.post("/v1/translate", json=LINGUA).json()
    extra = body.pop("extra")
    assert body == {
        "ok": True,
        "text": "THE HOUSE IS RED.",
        "model": "org/m2m100_tiny",
        "provider": "local-m2m100",
        "quality_metrics": {"perplexity": 2.0, "avg_probability": 0.6, "min_probability": 0.1},
    }
    assert extra["num_tokens"] == 17
    assert {"elapsed_ms", "tokenization_ms", "generation_ms", "decoding_ms"} < extra.keys()


@pytest.mark.parametrize(
    ("change", "status", "code", "field"),
    [
        ({"text": " "}, 422, "empty_text", "text"),
        ({"text": "x" * 101}, 422, "too_long", "text"),
        ({"target": "ru"}, 422, "unsupported_pair", "target"),
        ({"source": "auto"}, 422, "unsupported_pair", "source"),
        ({"source": "en'; --"}, 422, "invalid_request", "source"),
        ({"text": 5}, 422, "invalid_request", "text"),
        ({"style": "x"}, 422, "invalid_request", "style"),
    ],
)
def test_bad_input_in_the_own_shape_is_a_problem(
    serve: Serve, change: dict[str, Any], status: int, code: str, field: str
) -> None:
    with serve(roles=roles(), texts={"max_translation_chars": 100}) as client:
        response = client.post("/v1/translate", json={**OWN, **change})
    assert response.status_code == status
    assert response.headers["Content-Type"] == "application/problem+json"
    assert (response.json()["code"], response.json()["field"]) == (code, field)


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"text": ""}, "nothing to translate"),
        ({"tgt_lang": "ru"}, "Pairs: en-es"),
        ({"text": "x" * 101}, "longer than 100"),
    ],
)
def test_bad_languages_and_texts_in_linguas_shape_are_not_ok_with_status_200(
    serve: Serve, change: dict[str, Any], error: str
) -> None:
    with serve(roles=roles(), texts={"max_translation_chars": 100}) as client:
        response = client.post("/v1/translate", json={**LINGUA, **change})
    assert response.status_code == 200
    assert response.json().keys() == {"ok", "provider", "error"}
    assert response.json()["ok"] is False
    assert error in response.json()["error"]


def test_a_body_that_is_no_json_or_too_large_is_refused(serve: Serve) -> None:
    with serve(roles=roles(), texts={"max_translation_chars": 100}) as client:
        assert client.post("/v1/translate", content=b"{").status_code == 400
        assert client.post("/v1/translate", json=[1]).status_code == 422
        assert client.post("/v1/translate", content=b'"' + b"x" * 10_000 + b'"').status_code == 413
        assert (
            client.post("/v1/translate", content=b'{"text": "\\ud800", "source": "en", "target": "es"}').status_code
            == 422
        )


@pytest.mark.parametrize("shape", [OWN, LINGUA])
def test_the_routes_need_a_key_and_say_when_the_model_is_busy(serve: Serve, shape: dict[str, str]) -> None:
    with serve(roles=roles(translator().failing(translate=RoleUnavailable("full")))) as client:
        busy = client.post("/v1/translate", json=shape)
        assert busy.status_code == 503
        assert int(busy.headers["Retry-After"]) >= 1
        client.headers.pop("X-API-Key")
        assert client.post("/v1/translate", json=shape).status_code == 401
        assert client.get("/v1/languages").status_code == 401


def test_languages_are_listed_by_what_they_are_for(serve: Serve) -> None:
    with serve(roles=roles()) as client:
        body = client.get("/v1/languages").json()
    assert body == {
        "recognition": {"languages": ["en", "ru"]},
        "translation": {"languages": ["en", "es", "zh"], "pairs": {"en": ["es", "zh"], "es": ["en"]}},
        "speech": {"languages": ["en", "en-gb", "es"], "cloning": ["es"]},
    }
