"""Translation on one machine: CTranslate2 int8 against Transformers, and the deployment against its bare engine.

python -m benchmarks.translation [--callers 16] [--rounds 3] [--sentences 32] [--new-tokens 32] [--part P] [--small]

A model of M2M100-418M's shape with random weights, the same for all. Random weights never end a sentence, so every way
writes the same number of tokens: tokens a second can be compared. Beam search with 4 beams. Transformers computes in
float32 as lingua does, CTranslate2 in int8; both take turns in one run with as many threads, with batches of each one's
choice (Transformers: the faster of one at a time, as lingua works, and all at once). Then 16 callers through the handle
against the bare engine in full batches, quality scores included on both sides. Prints JSON; `--small` is for trying the
script.
"""

import argparse
import asyncio
import json
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ray import serve

from deployments.logs import configure_logs
from deployments.translation import TranslationClient, translation_deployment
from graphs.common.config import TranslationRoleSettings
from graphs.local.cluster import ray_with_dashboard
from models import translation
from models.translation import CTranslate2Settings, Sentence, Translator
from models.translation.checkpoint import read_checkpoint
from models.translation.conversion import convert
from models.translation.families import Description, codec_of

THREADS_VARIABLE = "OMP_NUM_THREADS"
WORDS = "the house is red and a man reads his book in the garden where the dog sleeps behind an old church".split()
# facebook/m2m100_418M, config.json; with the vocabulary's 128,104 tokens and 8 rows of padding.
VOCABULARY = 128_004
SHAPE = {"d_model": 1024, "encoder_layers": 12, "decoder_layers": 12, "ffn": 4096, "heads": 16}
SMALL = {"d_model": 64, "encoder_layers": 2, "decoder_layers": 2, "ffn": 128, "heads": 4}

Way = Callable[[], int]


def write_checkpoint(folder: Path, shape: dict[str, int], vocabulary: int) -> None:
    """Write a checkpoint as facebook/m2m100_418M is laid out, with random weights."""
    import sentencepiece
    import torch
    from transformers import M2M100Config, M2M100ForConditionalGeneration
    from transformers.models.m2m_100.tokenization_m2m_100 import FAIRSEQ_LANGUAGE_CODES

    prefix = folder / "sentencepiece.bpe"
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter([" ".join(WORDS)]),
        model_prefix=str(prefix),
        vocab_size=60,
        model_type="bpe",
        minloglevel=2,
    )
    pieces = sentencepiece.SentencePieceProcessor(model_file=f"{prefix}.model")
    names = [piece for piece in map(pieces.id_to_piece, range(len(pieces))) if not piece.startswith("<")]
    tokens = ["<s>", "<pad>", "</s>", "<unk>", *names]
    tokens += [f"filler{number}" for number in range(vocabulary - len(tokens))]
    (folder / "vocab.json").write_text(json.dumps({token: index for index, token in enumerate(tokens)}), "utf-8")
    torch.manual_seed(0)
    config = M2M100Config(
        vocab_size=vocabulary + len(FAIRSEQ_LANGUAGE_CODES["m2m100"]) + 8,
        d_model=shape["d_model"],
        encoder_layers=shape["encoder_layers"],
        decoder_layers=shape["decoder_layers"],
        encoder_attention_heads=shape["heads"],
        decoder_attention_heads=shape["heads"],
        encoder_ffn_dim=shape["ffn"],
        decoder_ffn_dim=shape["ffn"],
        scale_embedding=True,
    )
    M2M100ForConditionalGeneration(config).save_pretrained(folder)


def texts(count: int) -> list[str]:
    """Return sentences of 8 to 23 words."""
    return [" ".join(WORDS[(3 * number + at) % len(WORDS)] for at in range(8 + number % 16)) for number in range(count)]


def sentences(count: int) -> list[Sentence]:
    return [Sentence(text, "en", "es") for text in texts(count)]


class Transformers:
    """lingua's way: generate, in float32."""

    def __init__(self, folder: Path) -> None:
        import torch
        from transformers import M2M100ForConditionalGeneration

        checkpoint = read_checkpoint(folder)
        self._codec = codec_of(folder, Description("m2m100", "", checkpoint.sources, checkpoint.targets))
        self._ids = {token: index for index, token in enumerate(checkpoint.tokens)}
        self._model: Any = M2M100ForConditionalGeneration.from_pretrained(folder, dtype=torch.float32)
        self._model.eval()

    def way(self, asked: Sequence[Sentence], new_tokens: int, batch: int) -> Way:
        """Translate so many sentences at once."""
        encoded = [self._encode(sentence) for sentence in asked]
        return lambda: sum(
            self._generate(encoded[start : start + batch], new_tokens) for start in range(0, len(encoded), batch)
        )

    def _encode(self, sentence: Sentence) -> list[int]:
        tokens = self._codec.encode(sentence.text, sentence.source, sentence.target)
        return [self._ids.get(token, self._ids["<unk>"]) for token in tokens]

    def _generate(self, rows: Sequence[list[int]], new_tokens: int) -> int:
        import torch

        pad = self._ids["<pad>"]
        longest = max(map(len, rows))
        padded = torch.tensor([row + [pad] * (longest - len(row)) for row in rows])
        output = self._model.generate(
            padded,
            attention_mask=(padded != pad).long(),
            forced_bos_token_id=self._ids["__es__"],
            num_beams=4,
            no_repeat_ngram_size=3,
            repetition_penalty=1.2,
            early_stopping=False,
            # The target's language is the first of them.
            min_new_tokens=new_tokens + 1,
            max_new_tokens=new_tokens + 1,
        )
        return int(output.shape[0] * (output.shape[1] - 2))


def by_engine(engine: Translator, asked: Sequence[Sentence], batch_tokens: float, concurrency: int) -> Way:
    """The bare engine, given full batches by as many threads as the deployment has."""
    batches: list[list[Sentence]] = [[]]
    room = batch_tokens
    for sentence in asked:
        if batches[-1] and engine.cost(sentence) > room:
            batches.append([])
            room = batch_tokens
        batches[-1].append(sentence)
        room -= engine.cost(sentence)

    def run() -> int:
        with ThreadPoolExecutor(concurrency) as pool:
            return sum(done.tokens for batch in pool.map(engine.translate, batches) for done in batch)

    return run


def through_the_handle(role: TranslationClient, asked: Sequence[Sentence], callers: int) -> Way:
    """Concurrent callers, each with one call of one sentence under way."""

    async def caller(number: int) -> int:
        written = 0
        for sentence in asked[number::callers]:
            done = await role.translate([sentence], correlation_id=f"caller-{number}")
            written += done[0].tokens
        return written

    async def run() -> int:
        return sum(await asyncio.gather(*map(caller, range(callers))))

    return lambda: asyncio.run(run())


@contextmanager
def served(settings: TranslationRoleSettings) -> Iterator[TranslationClient]:
    """Run the deployment alone in a Serve of its own, with the whole machine at its disposal."""
    with ray_with_dashboard():
        serve.start(proxy_location="Disabled")
        # What else the machine does must hit all ways alike: Ray runs its workers so much below its driver.
        os.nice(int(os.environ.get("RAY_worker_niceness", "15")))
        application = translation_deployment.options(ray_actor_options={"num_cpus": os.cpu_count()}).bind(
            settings.engine, settings.max_batch_tokens, settings.batch_wait_ms, settings.concurrency, "WARNING"
        )
        yield TranslationClient(serve.run(application, name="benchmark", route_prefix=None))


def rate(way: Way) -> float:
    """Return tokens a second."""
    started = time.perf_counter()
    written = way()
    return written / (time.perf_counter() - started)


def taking_turns(ways: dict[str, Way], rounds: int) -> dict[str, list[float]]:
    """Return the rates of each round, after a warm-up."""
    for way in ways.values():
        way()
    rates: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(rounds):
        for name, way in ways.items():
            rates[name].append(rate(way))
    return rates


def median_ratio(ours: list[float], others: list[float]) -> float:
    return statistics.median(mine / theirs for mine, theirs in zip(ours, others, strict=True))


def against_transformers(folder: Path, settings: CTranslate2Settings, count: int, rounds: int) -> dict[str, Any]:
    """Compare the libraries."""
    asked = sentences(count)
    bare = translation.build(settings.model_copy(update={"quality": False}))
    scored = translation.build(settings)
    ways: dict[str, Way] = {
        "ctranslate2_int8": by_engine(bare, asked, settings.max_batch_tokens, 1),
        "ctranslate2_int8_with_quality": by_engine(scored, asked, settings.max_batch_tokens, 1),
    }
    transformers = Transformers(folder)
    ways["transformers_fp32_one_at_a_time"] = transformers.way(asked[: max(1, count // 4)], settings.max_new_tokens, 1)
    ways["transformers_fp32_batch"] = transformers.way(asked, settings.max_new_tokens, count)
    rates = taking_turns(ways, rounds)
    bare.close()
    scored.close()
    best = [
        max(pair)
        for pair in zip(rates["transformers_fp32_one_at_a_time"], rates["transformers_fp32_batch"], strict=True)
    ]
    return {
        "tokens_per_second": {name: statistics.median(values) for name, values in rates.items()},
        "int8_to_transformers": median_ratio(rates["ctranslate2_int8"], best),
        "int8_with_quality_to_transformers": median_ratio(rates["ctranslate2_int8_with_quality"], best),
        "rounds": rates,
    }


def against_bare(settings: TranslationRoleSettings, count: int, callers: int, rounds: int) -> dict[str, Any]:
    """Compare the deployment with its engine."""
    asked = sentences(count)
    with served(settings) as deployed:
        bare = translation.build(settings.engine)
        before = asyncio.run(description(deployed))
        rates = taking_turns(
            {
                "served": through_the_handle(deployed, asked, callers),
                "bare_full_batches": by_engine(bare, asked, settings.max_batch_tokens, settings.concurrency),
            },
            rounds,
        )
        after = asyncio.run(description(deployed))
    return {
        "tokens_per_second": {name: statistics.median(values) for name, values in rates.items()},
        "served_to_bare": median_ratio(rates["served"], rates["bare_full_batches"]),
        "mean_batch_sentences": (after["sentences"] - before["sentences"]) / (after["batches"] - before["batches"]),
        "rounds": rates,
    }


async def description(deployed: TranslationClient) -> dict[str, Any]:
    """Return what the replica says of itself."""
    answer: dict[str, Any] = await deployed.handle.describe.remote()
    return answer


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--callers", type=int, default=16)
    parser.add_argument("--sentences", type=int, default=32)
    parser.add_argument("--new-tokens", type=int, default=32)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--batch-tokens", type=int, default=160, help="source tokens of a full batch, by estimate")
    parser.add_argument("--part", choices=("libraries", "deployment"), help="only one of the two comparisons")
    parser.add_argument("--small", action="store_true", help="a tiny model, to try the script")
    asked = parser.parse_args()
    if THREADS_VARIABLE not in os.environ:
        # Read when the libraries are loaded; Ray gives its replicas as many.
        os.execve(sys.executable, sys.orig_argv, {**os.environ, THREADS_VARIABLE: str(os.cpu_count())})
    configure_logs("WARNING", readable=True)
    with tempfile.TemporaryDirectory(prefix="voicegraph-benchmark-") as place:
        folder, converted = Path(place) / "m2m100", Path(place) / "ctranslate2"
        folder.mkdir()
        write_checkpoint(folder, SMALL if asked.small else SHAPE, 1000 if asked.small else VOCABULARY)
        convert(str(folder), converted, quantization="int8")
        engine = CTranslate2Settings(models=(converted,), device="cpu", max_new_tokens=asked.new_tokens)
        role = TranslationRoleSettings(engine=engine, max_batch_tokens=asked.batch_tokens, concurrency=1)
        report: dict[str, Any] = {
            "shape": SMALL if asked.small else SHAPE,
            "cores": os.cpu_count(),
            "threads": os.environ[THREADS_VARIABLE],
            "callers": asked.callers,
            "sentences": asked.sentences,
            "new_tokens": asked.new_tokens,
        }
        if asked.part != "deployment":
            report["libraries"] = against_transformers(folder, engine, asked.sentences, asked.rounds)
        if asked.part != "libraries":
            report["deployment"] = against_bare(role, 3 * asked.sentences, asked.callers, asked.rounds)
        report["load_average"] = os.getloadavg()[0]
    print(json.dumps(report, indent=2))


if __name__ == "__main__":
    main()
