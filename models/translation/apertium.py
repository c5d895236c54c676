"""Translation by Apertium (Forcada et al., 2011): rules and dictionaries, no GPU, no weights."""

import logging
import weakref
from collections.abc import Mapping, Sequence
from itertools import groupby

from models.errors import InputError
from models.translation.apertium_modes import Mode, find_modes
from models.translation.apertium_pipeline import Lease, PipelinePool
from models.translation.apertium_stream import from_stream, to_stream
from models.translation.pairs import require_pair
from models.translation.settings import ApertiumSettings
from models.translation.types import Sentence, Translation

MAX_CHARS = 5000
REMEDY = (
    "Debian's packages have more, for instance: apt-get install apertium apertium-eng-spa. "
    "Without root: unpack them with dpkg -x, and name the folder in the setting `root`"
)
_PROBE = to_stream(".")
_log = logging.getLogger(__name__)


class ApertiumTranslator:
    """The pairs that are installed, each as a pipeline of programs that stays running between calls.

    Without any pair the engine starts all the same, and refuses every request with how to get one. It has no
    probabilities, and leaves words that it does not know as they are.
    """

    name = "apertium"

    def __init__(self, settings: ApertiumSettings) -> None:
        self._settings = settings
        self._modes: dict[tuple[str, str], Mode] = find_modes(settings.root)
        self._pairs: dict[str, frozenset[str]] = {
            source: frozenset(target for from_, target in self._modes if from_ == source) for source, _ in self._modes
        }
        self.pool = PipelinePool(settings.workers, settings.max_pipelines)
        self._close = weakref.finalize(self, self.pool.close)
        if not self._modes:
            _log.warning("Apertium has no pair of languages on this machine. %s", REMEDY)

    @property
    def pairs(self) -> Mapping[str, frozenset[str]]:
        """Targets by source language."""
        return self._pairs

    def check(self, sentence: Sentence) -> None:
        """Refuse a pair that is not installed, and a text that is no sentence."""
        require_pair(self._pairs, sentence.source, sentence.target, remedy=REMEDY)
        if len(sentence.text) > MAX_CHARS:
            raise InputError("too_long", f"a sentence has more than {MAX_CHARS} characters", field="text")

    def translate(self, sentences: Sequence[Sentence]) -> list[Translation]:
        """Translate a batch; see `models.translation.types.Translator`."""
        for sentence in sentences:
            self.check(sentence)
        order = sorted(range(len(sentences)), key=lambda index: (sentences[index].source, sentences[index].target))
        texts: dict[int, str] = {}
        for pair, group in groupby(order, key=lambda index: (sentences[index].source, sentences[index].target)):
            indices = list(group)
            texts |= zip(indices, self._translate(pair, [sentences[index].text for index in indices]), strict=True)
        return [Translation(text=texts[index], model=self.name) for index in range(len(sentences))]

    def cost(self, sentence: Sentence) -> float:
        """Estimate tokens from characters."""
        return 1 + len(sentence.text) / 4

    def close(self) -> None:
        """End the programs; the engine can't be used afterwards."""
        self._close()

    def _translate(self, pair: tuple[str, str], texts: list[str]) -> list[str]:
        messages = [to_stream(text) for text in texts]
        timeout = self._settings.sentence_timeout
        answers: list[bytes] = []
        with self.pool.lend(self._modes[pair]) as lease:
            while len(answers) < len(messages):
                answers += lease.exchange(messages[len(answers) :], timeout)
                if len(answers) < len(messages):
                    # The programs failed at this one, so it travels alone, and those after it get new programs.
                    answers.append(self._alone(lease, messages[len(answers)]))
        return [from_stream(answer, text) for answer, text in zip(answers, texts, strict=True)]

    def _alone(self, lease: Lease, message: bytes) -> bytes:
        timeout = self._settings.sentence_timeout
        if answers := lease.exchange([message], timeout):
            return answers[0]
        if not lease.exchange([_PROBE], timeout):
            raise RuntimeError("Apertium's programs end, or fall silent, on any text")
        raise InputError("untranslatable", "Apertium fails on one of the sentences", field="text")
