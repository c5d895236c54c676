"""Published checkpoints of M2M100, NLLB and OPUS-MT: their files, and their tokenizers read from those."""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from models.errors import MissingWeights
from models.translation.families import FILES, Family
from models.translation.languages import short_code
from models.weights import Weights

CHECKPOINT = Weights(
    files=("config.json", "*.safetensors|pytorch_model*.bin"),
    more=("*.json", "*.model", "*.spm"),
)
"""Files of a published checkpoint."""

_PREFERRED_SCRIPTS = ("Hans", "Arab", "Latn")
_CODE = re.compile(r"[a-z]{2,3}")


@dataclass(frozen=True)
class Checkpoint:
    """A checkpoint's tokenizer, read from its files.

    Attributes:
        tokens: By id; as many as the checkpoint's tokenizer has, which may be fewer than the model has rows.
    """

    family: Family
    tokens: list[str]
    sources: dict[str, str]
    targets: dict[str, str]


def read_checkpoint(folder: Path, sources: Sequence[str] = (), targets: Sequence[str] = ()) -> Checkpoint:
    """Read a checkpoint's tokenizer.

    Args:
        folder: With the checkpoint.
        sources: ISO 639-1 codes, for an OPUS-MT model whose files do not name a language of its own.
        targets: Likewise.

    Raises:
        MissingWeights: The checkpoint is incomplete.
        ValueError: It is of no family that is known, or its languages must be named.
    """
    config = _json(folder / "config.json")
    kind = config.get("model_type")
    if kind == "marian":
        checkpoint = _marian(folder, sources, targets)
    elif kind == "m2m_100" and (folder / "vocab.json").is_file():
        checkpoint = _m2m100(folder)
    elif kind == "m2m_100":
        checkpoint = _nllb(folder)
    else:
        raise ValueError(f"{folder} holds a model of type {kind!r}; known are m2m_100 (M2M100 and NLLB) and marian")
    _check_files(folder, FILES[checkpoint.family])
    return checkpoint


def _m2m100(folder: Path) -> Checkpoint:
    from transformers.models.m2m_100.tokenization_m2m_100 import FAIRSEQ_LANGUAGE_CODES

    codes = FAIRSEQ_LANGUAGE_CODES[_tokenizer_config(folder).get("language_codes", "m2m100")]
    tokens = _by_id(_json(folder / "vocab.json"))
    languages = {"nso" if code == "ns" else code: f"__{code}__" for code in codes}
    return Checkpoint("m2m100", [*tokens, *languages.values()], languages, languages)


def _nllb(folder: Path) -> Checkpoint:
    from tokenizers import Tokenizer

    _check_files(folder, FILES["nllb"])
    tokens = _by_id(Tokenizer.from_file(str(folder / FILES["nllb"][0])).get_vocab(with_added_tokens=True))
    codes = sorted((token for token in tokens if re.fullmatch(r"[a-z]{3}_[A-Z][a-z]{3}", token)), key=_script_rank)
    languages: dict[str, str] = {}
    for code in codes:
        short = short_code(code.split("_")[0])
        # The same language in a further script keeps its whole code.
        languages[code if short in languages else short] = code
    return Checkpoint("nllb", tokens, languages, languages)


def _script_rank(code: str) -> tuple[int, str]:
    script = code.split("_")[1]
    rank = _PREFERRED_SCRIPTS.index(script) if script in _PREFERRED_SCRIPTS else len(_PREFERRED_SCRIPTS)
    return rank, code


def _marian(folder: Path, sources: Sequence[str], targets: Sequence[str]) -> Checkpoint:
    _check_files(folder, ("vocab.json",))
    config = _tokenizer_config(folder)
    if config.get("separate_vocabs"):
        raise ValueError(f"{folder} has separate vocabularies of source and target, which CTranslate2 can't convert")
    tokens = _by_id(_json(folder / "vocab.json"))
    named = {_marian_code(token[2:-2]): token for token in tokens if re.fullmatch(r">>.+<<", token)}
    found = [code for code in (config.get("source_lang"), config.get("target_lang")) if isinstance(code, str)]
    source, target = found if len(found) == 2 else ("", "")
    own_sources = list(sources) or _own(source, "--source")
    if named:
        wanted = list(targets) or list(named)
        if unknown := sorted(set(wanted) - set(named)):
            raise ValueError(f"the model has no target {', '.join(unknown)}; it has {', '.join(sorted(named))}")
        own_targets = {code: named[code] for code in wanted}
    else:
        own_targets = dict.fromkeys(list(targets) or _own(target, "--target"), "")
    return Checkpoint("marian", tokens, dict.fromkeys(own_sources, ""), own_targets)


def _own(code: str, option: str) -> list[str]:
    if not _CODE.fullmatch(code) or code == "mul":
        raise ValueError(f"the checkpoint names no language but {code!r}; name them with {option}")
    return [short_code(code)]


def _marian_code(code: str) -> str:
    language, *variant = code.split("_")
    return "_".join((short_code(language), *variant))


def _by_id(vocabulary: Mapping[str, int]) -> list[str]:
    tokens = sorted(vocabulary, key=lambda token: vocabulary[token])
    if [vocabulary[token] for token in tokens] != list(range(len(tokens))):
        raise ValueError("the ids of the vocabulary have gaps")
    return tokens


def _tokenizer_config(folder: Path) -> dict[str, Any]:
    path = folder / "tokenizer_config.json"
    return _json(path) if path.is_file() else {}


def _json(path: Path) -> dict[str, Any]:
    _check_files(path.parent, (path.name,))
    fields: dict[str, Any] = json.loads(path.read_text("utf-8"))
    return fields


def _check_files(folder: Path, names: Sequence[str]) -> None:
    if missing := [name for name in names if not (folder / name).is_file()]:
        raise MissingWeights(f"{folder} is not a complete checkpoint: {', '.join(missing)} not found")
