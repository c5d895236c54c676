"""Recordings cut into utterances, and the words that recognisers write over what is no speech."""

import numpy as np
import pytest
from fake_roles import find_speech, silence, voice
from numpy.typing import NDArray

from graphs.translation import utterances as module
from graphs.translation.utterances import Utterance, utterances
from models.asr.non_speech import is_non_speech
from models.spans import Span

pytestmark = pytest.mark.unit


def found(*parts: NDArray[np.float32]) -> list[Utterance]:
    return list(utterances(np.concatenate(parts), find_speech))


def test_each_utterance_knows_when_the_next_begins() -> None:
    assert found(silence(1), voice(0.5, 2), silence(1), voice(0.5, 1), silence(3)) == [
        Utterance(Span(1.0, 3.0), 4.0),
        Utterance(Span(4.0, 5.0), 8.0),
    ]


def test_its_samples_are_its_own() -> None:
    pcm = np.concatenate((silence(1), voice(0.5, 2), silence(1)))
    (one,) = utterances(pcm, find_speech)
    assert one.samples(pcm).tolist() == [0.5] * 32000


def test_an_utterance_over_the_edge_of_a_window_stays_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    parts = [part for _ in range(8) for part in (voice(0.5, 2), silence(1.25))]
    whole = found(*parts)
    monkeypatch.setattr(module, "_WINDOW_S", 6.0)
    assert found(*parts) == whole
    assert len(whole) == 8


def test_speech_longer_than_a_window_is_cut_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_WINDOW_S", 6.0)
    assert [one.span for one in found(voice(0.5, 15))] == [Span(0.0, 6.0), Span(6.0, 12.0), Span(12.0, 15.0)]


def test_there_are_none_without_speech() -> None:
    assert found(silence(5)) == []
    assert list(utterances(np.zeros(0, np.float32), find_speech)) == []


NOISE = """
... | [Music] | (applause) ♪ la la ♪ | <sil> | *coughs* | Um... | uh, um | 嗯。 | 嗯嗯 | Э-э...
Thank you for watching! | Thanks so much for watching this video. | Please like and subscribe | 谢谢观看
Субтитры сделал DimaTorzok | Редактор субтитров Ю.Петрова | 请不吝点赞 订阅 转发 | 字幕by索兰娅
Sous-titres réalisés para la communauté d'Amara.org | Untertitel im Auftrag des ZDF
"""
SPEECH = """
Thank you. | Thank you for watching my dog. | [Music] hello | I subscribe to that | да | I | 好 | ok | 3
The subtitles are wrong. | Субтитры не работают | Translated by me | 字幕制作很难
"""


def _each(table: str) -> list[str]:
    return [cell.strip() for line in table.strip().splitlines() for cell in line.split(" | ")]


@pytest.mark.parametrize("heard", ["", *_each(NOISE)])
def test_what_nobody_said_is_not_speech(heard: str) -> None:
    assert is_non_speech(heard)


@pytest.mark.parametrize("heard", _each(SPEECH))
def test_words_of_a_speaker_are_not(heard: str) -> None:
    assert not is_non_speech(heard)
