"""Converts M2M100, NLLB and OPUS-MT checkpoints for the engine ``ctranslate2``.

python -m models.translation.convert --model facebook/m2m100_418M --output DIR [--quantization int8]
python -m models.translation.convert --model Helsinki-NLP/opus-mt-en-es --output DIR

--model is a folder, an id on the Hugging Face Hub or a URI (docs/weights.md). It needs torch, and memory for the model
twice.
The folder appears under its name when it is complete, never before.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from models.errors import MissingWeights
from models.translation.conversion import QUANTIZATIONS, convert


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command."""
    parser = argparse.ArgumentParser(
        prog="python -m models.translation.convert",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--model", required=True, help="id on the Hugging Face Hub, a folder, or another name of docs/weights.md"
    )
    parser.add_argument("--output", required=True, type=Path, help="folder to be made")
    parser.add_argument("--quantization", choices=QUANTIZATIONS, default="int8")
    parser.add_argument("--source", action="append", default=[], help="a source language, for OPUS-MT; may be repeated")
    parser.add_argument("--target", action="append", default=[], help="a target language, likewise")
    asked = parser.parse_args(arguments)
    try:
        made = convert(
            asked.model,
            asked.output,
            quantization=asked.quantization,
            sources=asked.source,
            targets=asked.target,
        )
    except (MissingWeights, ValueError, FileExistsError) as error:
        sys.exit(f"convert: {error}")
    print(f"{asked.output}: {made.family}, {len(made.sources)} source and {len(made.targets)} target languages")


if __name__ == "__main__":
    main()
