"""Tokenizers of the model families M2M100, NLLB and Marian (OPUS-MT)."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal, Protocol

from models.errors import MissingWeights

Family = Literal["m2m100", "nllb", "marian"]

DESCRIPTION = "translation.json"
FORMAT = 1
END = "</s>"
_UNKNOWN = "<unk>"

# The tokenizer's files, as they are called in the original checkpoints.
FILES: Mapping[Family, tuple[str, ...]] = {
    "m2m100": ("sentencepiece.bpe.model",),
    "nllb": ("tokenizer.json",),
    "marian": ("source.spm", "target.spm"),
}


@dataclass(frozen=True)
class Description:
    """Description of a converted model, in its folder's ``translation.json``.

    Attributes:
        family: How text is written as tokens.
        name: Where the model comes from.
        sources: The token of each source language; empty where the model takes none.
        targets: The token of each target language; likewise.
        format: Of this file.
    """

    family: Family
    name: str
    sources: dict[str, str]
    targets: dict[str, str]
    format: int = FORMAT

    def write(self, folder: Path) -> None:
        """Write the file."""
        (folder / DESCRIPTION).write_text(json.dumps(asdict(self), indent=1, ensure_ascii=False) + "\n", "utf-8")

    @classmethod
    def read(cls, folder: Path) -> "Description":
        """Read the file of a folder.

        Raises:
            MissingWeights: The folder is not there or not complete.
            ValueError: The file is not what `write` writes.
        """
        path = folder / DESCRIPTION
        if not path.is_file() or not (folder / "model.bin").is_file():
            raise MissingWeights(
                f"{folder} has no converted translation model; make one with `python -m models.translation.convert "
                f"--model facebook/m2m100_418M --output {folder}`"
            )
        fields: Any = json.loads(path.read_text("utf-8"))
        if not isinstance(fields, dict) or fields.get("format") != FORMAT or fields.get("family") not in FILES:
            raise ValueError(f"{path} is of another format; convert the model again")
        description = cls(**fields)
        if missing := [name for name in FILES[description.family] if not (folder / name).is_file()]:
            raise MissingWeights(f"{folder} lacks {', '.join(missing)}; convert the model again")
        return description


class Codec(Protocol):
    """Tokenizer of one model. Safe to call from several threads at once."""

    def encode(self, text: str, source: str, target: str) -> list[str]:
        """Return the model's whole input, tokens of language and of the sentence's end included."""
        ...

    def prefix(self, target: str) -> list[str]:
        """Return the tokens with which the output begins."""
        ...

    def decode(self, tokens: Sequence[str]) -> str:
        """Return the text of an output without its prefix and end."""
        ...


class M2M100Codec:
    """``__en__ pieces </s>`` (Fan et al., 2020)."""

    def __init__(self, folder: Path, description: Description) -> None:
        self._pieces = _sentencepiece(folder / FILES["m2m100"][0])
        self._sources, self._targets = description.sources, description.targets

    def encode(self, text: str, source: str, target: str) -> list[str]:
        """See `Codec`."""
        return [self._sources[source], *self._pieces.encode(text, out_type=str), END]

    def prefix(self, target: str) -> list[str]:
        """See `Codec`."""
        return [self._targets[target]]

    def decode(self, tokens: Sequence[str]) -> str:
        """See `Codec`."""
        return _decode(self._pieces, tokens)


class NllbCodec:
    """``eng_Latn pieces </s>`` (NLLB Team, 2022)."""

    def __init__(self, folder: Path, description: Description) -> None:
        from tokenizers import Tokenizer

        self._tokenizer = Tokenizer.from_file(str(folder / FILES["nllb"][0]))
        # Else a caller's "</s>" or "fra_Latn" would be taken for the token.
        self._tokenizer.encode_special_tokens = True
        self._sources, self._targets = description.sources, description.targets

    def encode(self, text: str, source: str, target: str) -> list[str]:
        """See `Codec`."""
        return [self._sources[source], *self._tokenizer.encode(text, add_special_tokens=False).tokens, END]

    def prefix(self, target: str) -> list[str]:
        """See `Codec`."""
        return [self._targets[target]]

    def decode(self, tokens: Sequence[str]) -> str:
        """See `Codec`."""
        ids = (self._tokenizer.token_to_id(token) for token in tokens)
        text: str = self._tokenizer.decode([id_ for id_ in ids if id_ is not None], skip_special_tokens=True)
        return text.strip()


class MarianCodec:
    """``>>xx<< pieces </s>``, with the target's token only where a model has several targets (Tiedemann, 2020)."""

    def __init__(self, folder: Path, description: Description) -> None:
        source, target = FILES["marian"]
        self._source_pieces, self._target_pieces = _sentencepiece(folder / source), _sentencepiece(folder / target)
        self._targets = description.targets

    def encode(self, text: str, source: str, target: str) -> list[str]:
        """See `Codec`."""
        token = self._targets[target]
        return [*([token] if token else []), *self._source_pieces.encode(text, out_type=str), END]

    def prefix(self, target: str) -> list[str]:
        """See `Codec`."""
        return []

    def decode(self, tokens: Sequence[str]) -> str:
        """See `Codec`."""
        return _decode(self._target_pieces, tokens)


def codec_of(folder: Path, description: Description) -> Codec:
    """Load a model's tokenizer."""
    match description.family:
        case "m2m100":
            return M2M100Codec(folder, description)
        case "nllb":
            return NllbCodec(folder, description)
        case "marian":
            return MarianCodec(folder, description)


def _sentencepiece(path: Path) -> Any:
    from sentencepiece import SentencePieceProcessor

    return SentencePieceProcessor(model_file=str(path))


def _decode(pieces: Any, tokens: Sequence[str]) -> str:
    # Tokens that are no pieces are languages, paddings of the vocabulary and the unknown: nothing to read.
    known = [token for token in tokens if token != _UNKNOWN and not pieces.is_unknown(pieces.piece_to_id(token))]
    text: str = pieces.decode(known)
    return text.strip()
