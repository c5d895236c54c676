"""Detection of recognised text without speech: sound descriptions, hesitations, hallucinated subtitle credits."""

import re
import unicodedata

_BRACKETED = re.compile(r"\([^()]*\)|\[[^\[\]]*\]|【[^【】]*】|<[^<>]*>|\*[^*]*\*|♪[^♪]*♪?")

_HESITATIONS = frozenset(
    """
    嗯 啊 呃 额 哦 噢 诶 欸 えー えっと あの うーん 음 어
    uh um uhm erm hm hmm hmmm mm mmm mhm ah eh huh
    э ээ эээ эм эмм м мм ммм хм хмм гм
    euh heu äh ähm öh eee ehm
    """.split()
)

_CREDITS = re.compile(
    "|".join(
        (
            # Credits of subtitles, in the words of those whose files recognisers learnt from.
            r".*\bamara ?org\b.*",
            r"(?:subtitles?|captions?) by\b.*",
            r"субтитры (?:сделал|создавал|делал|подготовил|подогнал|и перевод)\w*\b.*",
            r"редактор субтитров\b.*",
            r"subt[ií]tulos (?:realizados|creados|hechos|por)\b.*",
            r"sous titr(?:es|age)\b.*",
            r"untertitel(?:ung)? (?:im auftrag|des zdf|von)\b.*",
            r"legendas? (?:pela|por)\b.*",
            r"sottotitoli (?:creati|e revisione|a cura)\b.*",
            r"字幕(?:由|by|志愿者|組|组).*",
            r"请不吝点赞.*",
            # Farewells of video channels.
            r"(?:thank you|thanks)(?: (?:so|very) much)? for watching(?: (?:this|the|my) (?:video|channel))?",
            r"(?:please )?(?:like and )?subscribe(?: to (?:my|our|the) channel)?",
            r"спасибо за просмотр|продолжение следует|подписывайтесь на (?:мой |наш )?канал",
            r"gracias por ver(?: el v[ií]deo)?|merci d avoir regardé(?: cette vidéo)?",
            r"vielen dank fürs (?:zuschauen|zusehen)|obrigad[oa] por assistir|grazie per (?:la visione|aver guardato)",
            r"(?:谢谢|感谢)(?:大家|您|你们|你)?(?:的)?(?:观看|收看)",
            r"ご視聴(?:いただき)?ありがとうございました",
            r"(?:시청|구독)해 ?주셔서 감사합니다",
        )
    )
)


def is_non_speech(text: str) -> bool:
    """Tell whether a whole utterance, as recognised, holds no words of a speaker.

    That is the case for sounds described in brackets, hesitations, and the phrases that recognisers learnt from
    subtitles and write over silence or music. A sentence that only contains such words is speech.
    """
    words = _words(_BRACKETED.sub(" ", unicodedata.normalize("NFC", text)))
    return all(word in _HESITATIONS or set(word) <= _HESITATIONS for word in words) or is_learnt_phrase(text)


def is_learnt_phrase(text: str) -> bool:
    """Tell whether a whole text is a credit or a farewell that recognisers learnt from subtitles.

    People do say some of them.
    """
    words = _words(_BRACKETED.sub(" ", unicodedata.normalize("NFC", text)))
    return bool(_CREDITS.fullmatch(" ".join(words)))


def _words(text: str) -> list[str]:
    spoken = (character if unicodedata.category(character)[0] in "LMN" else " " for character in text.casefold())
    return "".join(spoken).split()
