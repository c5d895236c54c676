"""M2M100, NLLB and Marian on CTranslate2, converted inside the test from tiny checkpoints of the real layout."""

import json
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from checkpoints.m2m100 import NLLB_CODES, build_tiny_m2m100, build_tiny_marian, build_tiny_nllb
from pydantic import ValidationError

from models.errors import InputError, MissingWeights
from models.translation import CTranslate2Settings, Sentence, Translation, build
from models.translation.conversion import convert
from models.translation.convert import main
from models.translation.ctranslate2_engine import CTranslate2Translator
from models.translation.families import Description

pytestmark = [pytest.mark.unit, pytest.mark.slow]

TEXTS = ("The house is red.", "A man reads a book in the garden, and the dog sleeps.", "Where?")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Checkpoints and, under ``*-ct2``, what the command makes of them."""
    folder = tmp_path_factory.mktemp("translation")
    build_tiny_m2m100(folder / "m2m100")
    build_tiny_nllb(folder / "nllb")
    build_tiny_marian(folder / "opus-en-es")
    build_tiny_marian(folder / "opus-en-romance", ("fr", "spa", "pt_br"))
    for name in ("m2m100", "nllb", "opus-en-es", "opus-en-romance"):
        main(["--model", str(folder / name), "--output", str(folder / f"{name}-ct2"), "--quantization", "float32"])
    return folder


def engine(folder: Path, *names: str, **settings: Any) -> CTranslate2Translator:
    models = tuple(folder / f"{name}-ct2" for name in names)
    options = {"compute_type": "float32", "device": "cpu", "max_new_tokens": 24, "intra_threads": 1, **settings}
    made = build(CTranslate2Settings(models=models, **options))
    assert isinstance(made, CTranslate2Translator)
    return made


def spanish(made: CTranslate2Translator, *texts: str) -> list[Translation]:
    return made.translate([Sentence(text, "en", "es") for text in texts])


def transformers_log_probs(folder: Path, source: list[int], prefix: list[int], target: list[int]) -> list[float]:
    """Log probabilities of the target's tokens by Transformers, float32."""
    import torch
    from transformers import AutoModelForSeq2SeqLM

    model = AutoModelForSeq2SeqLM.from_pretrained(folder, dtype=torch.float32).eval()
    decoder = torch.tensor([[model.config.decoder_start_token_id, *prefix, *target]])
    with torch.no_grad():
        logits = model(input_ids=torch.tensor([source]), decoder_input_ids=decoder[:, :-1]).logits[0]
    if (pad := model.config.pad_token_id) == logits.shape[1] - 1:
        # Marian's padding starts the decoder and is never generated: CTranslate2 has it not.
        logits[:, pad] = -math.inf
    chosen = logits.log_softmax(-1).gather(1, decoder[0, 1:, None])[:, 0]
    return [float(value) for value in chosen[len(prefix) :]]


@pytest.mark.parametrize("name", ["m2m100", "opus-en-es"])
@pytest.mark.parametrize("most", [3, 24])
def test_quality_is_that_of_transformers_without_the_penalties(folder: Path, name: str, most: int) -> None:
    made = engine(folder, name, max_new_tokens=most)
    ids = json.loads((folder / name / "vocab.json").read_text())
    if name == "m2m100":
        ids |= {token: len(ids) + index for index, token in enumerate(made._models[0].description.targets.values())}
    for text, done in zip(TEXTS, spanish(made, *TEXTS), strict=True):
        model = made._models[0]
        source = model.codec.encode(text, "en", "es")
        prefix = model.codec.prefix("es")
        found = model.translator.translate_batch(
            [source],
            target_prefix=[prefix],
            beam_size=4,
            no_repeat_ngram_size=3,
            repetition_penalty=1.2,
            max_decoding_length=most + len(prefix),
            return_end_token=True,
        )[0].hypotheses[0][len(prefix) :]
        tokens = [ids.get(token, ids["<unk>"]) for token in found]
        log_probs = transformers_log_probs(
            folder / name, [ids.get(token, ids["<unk>"]) for token in source], [ids[each] for each in prefix], tokens
        )
        assert done.tokens == len(log_probs)
        assert done.complete == (found[-1] == "</s>")
        assert done.quality is not None
        assert math.log(done.quality.perplexity) == pytest.approx(-sum(log_probs) / len(log_probs), abs=1e-3)
        probabilities = [math.exp(value) for value in log_probs]
        assert done.quality.average_probability == pytest.approx(sum(probabilities) / len(probabilities), abs=1e-3)
        assert done.quality.minimum_probability == pytest.approx(min(probabilities), abs=1e-3)


def test_greedy_search_finds_what_transformers_finds(folder: Path) -> None:
    import torch
    from transformers import M2M100ForConditionalGeneration

    made = engine(folder, "m2m100", beam_size=1, no_repeat_ngram_size=0, repetition_penalty=1.0, quality=False)
    codec = made._models[0].codec
    ids = json.loads((folder / "m2m100/vocab.json").read_text())
    ids |= {token: len(ids) + index for index, token in enumerate(made._models[0].description.targets.values())}
    names = {index: token for token, index in ids.items()}
    model = M2M100ForConditionalGeneration.from_pretrained(folder / "m2m100", dtype=torch.float32)
    expected = []
    for text in TEXTS:
        source = torch.tensor([[ids.get(token, ids["<unk>"]) for token in codec.encode(text, "en", "es")]])
        output = model.generate(  # type: ignore[misc]
            source, forced_bos_token_id=ids["__es__"], num_beams=1, max_new_tokens=25, do_sample=False
        )
        found = [names.get(index, "") for index in output[0, 2:].tolist()]
        expected.append(codec.decode([token for token in found if token != "</s>"]))
    assert [done.text for done in spanish(made, *TEXTS)] == expected
    assert any(expected)


@pytest.mark.parametrize("name", ["m2m100", "nllb", "opus-en-es", "opus-en-romance"])
def test_a_batch_gives_what_each_sentence_gives_alone(folder: Path, name: str) -> None:
    made = engine(folder, name)
    together = spanish(made, *TEXTS)
    assert [done.text for done in together] == [spanish(made, text)[0].text for text in TEXTS]
    assert all(done.text and done.tokens and done.quality for done in together)


def test_several_models_share_an_engine_and_the_first_has_a_pair_that_two_have(folder: Path) -> None:
    both = engine(folder, "opus-en-es", "m2m100")
    marian, m2m100 = engine(folder, "opus-en-es"), engine(folder, "m2m100")
    mixed = [Sentence(TEXTS[0], "en", "es"), Sentence(TEXTS[0], "es", "en"), Sentence(TEXTS[2], "en", "es")]
    expected = [*marian.translate(mixed[:1]), *m2m100.translate(mixed[1:2]), *marian.translate(mixed[2:])]
    assert [done.text for done in both.translate(mixed)] == [done.text for done in expected]
    assert both.name == f"{folder / 'opus-en-es'}, {folder / 'm2m100'}"


def test_languages_go_by_their_short_codes_in_every_family(folder: Path) -> None:
    m2m100 = engine(folder, "m2m100").pairs
    assert len(m2m100) == 100
    assert "nso" in m2m100["en"]
    assert "en" not in m2m100["en"]
    assert engine(folder, "nllb").pairs["en"] == {"fr", "es", "zh", "zho_Hant"}
    assert engine(folder, "opus-en-es").pairs == {"en": {"es"}}
    assert engine(folder, "opus-en-romance").pairs == {"en": {"fr", "es", "pt_br"}}


def test_the_targets_token_leads_the_input_of_a_model_with_several(folder: Path) -> None:
    codec = engine(folder, "opus-en-romance")._models[0].codec
    assert codec.encode("The", "en", "es")[0] == ">>spa<<"
    assert codec.encode("The", "en", "es")[-1] == "</s>"
    assert engine(folder, "opus-en-es")._models[0].codec.encode("The", "en", "es")[0] != ">>spa<<"


@pytest.mark.parametrize("name", ["m2m100", "nllb", "opus-en-romance"])
def test_tokens_that_a_text_spells_are_only_text(folder: Path, name: str) -> None:
    codec = engine(folder, name)._models[0].codec
    tokens = codec.encode(">>fr<< </s> fra_Latn __fr__ <pad> <mask>", "en", "es")
    assert tokens[-1] == "</s>"
    assert not {"</s>", "<pad>", "<mask>", ">>fr<<", "__fr__", *NLLB_CODES} & set(tokens[1:-1])


def test_a_pair_that_is_missing_is_refused_with_what_there_is(folder: Path) -> None:
    with pytest.raises(InputError, match="Pairs: en-es") as refused:
        engine(folder, "opus-en-es").translate([Sentence("x", "en", "ru")])
    assert (refused.value.code, refused.value.field) == ("unsupported_pair", "target")
    with pytest.raises(InputError, match="Every pair goes of: af, am, ar"):
        engine(folder, "m2m100").check(Sentence("x", "en", "tlh"))
    with pytest.raises(InputError, match="not detected"):
        engine(folder, "m2m100").check(Sentence("x", "auto", "en"))
    with pytest.raises(InputError, match="same language"):
        engine(folder, "m2m100").check(Sentence("x", "en", "en"))


def test_a_sentence_that_is_too_long_is_refused_and_not_cut(folder: Path) -> None:
    made = engine(folder, "m2m100", max_input_tokens=16)
    long = Sentence("The house is red and the cat is on the roof.", "en", "es")
    for refuse in (made.check, lambda sentence: made.translate([sentence])):
        with pytest.raises(InputError, match="more than the 16") as refused:
            refuse(long)
        assert (refused.value.code, refused.value.field) == ("too_long", "text")
    made.check(Sentence("The", "en", "es"))


def test_settings_default_to_the_seeds_search() -> None:
    settings = CTranslate2Settings(models=(Path("x"),))
    assert (settings.beam_size, settings.no_repeat_ngram_size, settings.repetition_penalty) == (4, 3, 1.2)
    assert settings.max_new_tokens == 256
    with pytest.raises(ValidationError):
        CTranslate2Settings(models=())


def test_a_folder_without_a_model_is_missing_weights_with_the_command_that_makes_one(tmp_path: Path) -> None:
    with pytest.raises(MissingWeights, match=r"python -m models\.translation\.convert"):
        build(CTranslate2Settings(models=(tmp_path / "none",)))


def test_conversion_leaves_nothing_behind_when_it_fails(folder: Path, tmp_path: Path) -> None:
    broken = tmp_path / "broken"
    build_tiny_m2m100(broken)
    (broken / "model.safetensors").write_bytes(b"no weights")
    with pytest.raises(Exception, match=r".+"):
        convert(str(broken), tmp_path / "out")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["broken"]
    (tmp_path / "there").mkdir()
    with pytest.raises(FileExistsError):
        convert(str(folder / "m2m100"), tmp_path / "there")


def test_conversion_asks_for_the_languages_that_a_checkpoint_does_not_name(folder: Path, tmp_path: Path) -> None:
    copy = tmp_path / "opus-roa-en"
    build_tiny_marian(copy)
    (copy / "tokenizer_config.json").write_text(json.dumps({"source_lang": "ROMANCE", "target_lang": "eng"}))
    with pytest.raises(ValueError, match="name them with --source"):
        convert(str(copy), tmp_path / "out")
    made = convert(str(copy), tmp_path / "out", sources=("es", "fr"))
    assert made == Description.read(tmp_path / "out")
    assert (made.sources, made.targets) == ({"es": "", "fr": ""}, {"en": ""})


def test_conversion_refuses_other_models(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "config.json").write_text('{"model_type": "bert"}')
    (tmp_path / "model.safetensors").touch()
    with pytest.raises(SystemExit, match="known are m2m_100"):
        main(["--model", str(tmp_path), "--output", str(tmp_path / "out")])


def test_a_working_engine_takes_another_search(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = engine(folder, "m2m100", beam_size=4)
    asked: list[int] = []
    translate = made._models[0].translator.translate_batch

    class Watched:
        def translate_batch(self, *args: Any, **options: Any) -> Any:
            asked.append(options["beam_size"])
            return translate(*args, **options)

    monkeypatch.setattr(made, "_models", [replace(made._models[0], translator=Watched())])
    settings = made._settings.model_copy(update={"beam_size": 1, "quality": False, "max_new_tokens": 3})
    assert settings.fixed() == made._settings.fixed()
    made.adjust(settings)
    (done,) = spanish(made, TEXTS[1])
    assert (asked, done.quality) == ([1], None)
    assert done.tokens <= 3
