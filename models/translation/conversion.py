"""Conversion of M2M100, NLLB and OPUS-MT checkpoints to CTranslate2's format."""

import shutil
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from models.translation.checkpoint import CHECKPOINT, Checkpoint, read_checkpoint
from models.translation.families import FILES, Description
from models.weights import resolve

QUANTIZATIONS = ("int8", "int8_float32", "int8_float16", "int8_bfloat16", "int16", "float16", "bfloat16", "float32")


def convert(
    model: str,
    output: Path,
    *,
    quantization: str = "int8",
    sources: Sequence[str] = (),
    targets: Sequence[str] = (),
) -> Description:
    """Convert a checkpoint, which is fetched where it is not on this machine.

    Args:
        model: A folder, an id on the Hugging Face Hub, or another name of docs/weights.md.
        output: A folder that is not there yet.
        quantization: How the weights are kept; the engine may still compute in another type.
        sources: ISO 639-1 codes, for an OPUS-MT model whose files do not name a language of its own.
        targets: Likewise.

    Raises:
        FileExistsError: ``output`` is there.
        MissingWeights: There is no such checkpoint.
        ValueError: It is of no family that is known, or its languages must be named.
    """
    if output.exists():
        raise FileExistsError(f"{output} is there already; name another folder")
    folder = resolve(model, CHECKPOINT, allow_download=True)
    return convert_folder(folder, output, model, quantization=quantization, sources=sources, targets=targets)


def convert_folder(
    folder: Path,
    output: Path,
    name: str,
    *,
    quantization: str,
    sources: Sequence[str] = (),
    targets: Sequence[str] = (),
) -> Description:
    """Convert the checkpoint in a folder; see ``convert``.

    Args:
        folder: With the checkpoint.
        output: A folder that is not there yet.
        name: What the model is called in translations.
        quantization: How the weights are kept.
        sources: See ``convert``.
        targets: Likewise.

    Raises:
        MissingWeights: The checkpoint is incomplete.
        ValueError: It is of no family that is known, or its languages must be named.
    """
    checkpoint = read_checkpoint(folder, sources, targets)
    description = Description(checkpoint.family, name, checkpoint.sources, checkpoint.targets)
    output.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{output.name}-", dir=output.parent) as partial:
        made = Path(partial) / "model"
        _convert(folder, checkpoint, made, quantization)
        for name in FILES[checkpoint.family]:
            shutil.copyfile(folder / name, made / name)
        description.write(made)
        made.rename(output)
    return description


def _convert(folder: Path, checkpoint: Checkpoint, output: Path, quantization: str) -> None:
    from ctranslate2.converters import TransformersConverter

    class Converter(TransformersConverter):  # type: ignore[misc]
        """Converter that reads the vocabulary from the checkpoint's files.

        What Transformers 5 makes of M2M100's leaves out the tokens of the languages, and CTranslate2 asks for names
        that its tokenizers no longer have.
        """

        def load_tokenizer(self, tokenizer_class: Any, model_name_or_path: str, **kwargs: Any) -> "_Vocabulary":
            return _Vocabulary(checkpoint.tokens)

    Converter(str(folder)).convert(str(output), quantization=quantization)


class _Vocabulary:
    """The part of a tokenizer's interface that CTranslate2 uses."""

    bos_token, eos_token, unk_token, pad_token = "<s>", "</s>", "<unk>", "<pad>"
    special_tokens_map: Mapping[str, Any] = {}

    def __init__(self, tokens: Sequence[str]) -> None:
        self._tokens = list(tokens)
        self.unk_token_id = self._tokens.index(self.unk_token)

    def get_vocab(self) -> dict[str, int]:
        return {token: index for index, token in enumerate(self._tokens)}

    def convert_ids_to_tokens(self, index: int) -> str:
        return self._tokens[index]
