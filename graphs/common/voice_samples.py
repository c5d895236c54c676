"""Short speech by which a person tells one voice from another."""

from collections.abc import Mapping

from graphs.common.roles import SpeechRole
from models.audio.encoding import AudioFormat, SyntheticMark, encode
from models.errors import InputError
from models.speech import Voice

SAMPLE_FORMAT: AudioFormat = "mp3"

_SENTENCES: Mapping[str, str] = {
    "ar": "مرحبا! هكذا يبدو صوتي.",
    "de": "Guten Tag! So klingt meine Stimme.",
    "en": "Good morning! This is what my voice sounds like.",
    "es": "¡Buenos días! Así suena mi voz.",
    "fr": "Bonjour ! Voici ma voix.",
    "hi": "नमस्ते! मेरी आवाज़ ऐसी है।",
    "it": "Buongiorno! Questa è la mia voce.",
    "kk": "Қайырлы таң! Менің даусым осындай.",
    "nl": "Goedemorgen! Zo klinkt mijn stem.",
    "pl": "Dzień dobry! Tak brzmi mój głos.",
    "pt": "Bom dia! Esta é a minha voz.",
    "ru": "Доброе утро! Вот как звучит мой голос.",
    "tr": "Günaydın! Sesim böyle.",  # noqa: RUF001 - Turkish
    "uk": "Доброго ранку! Ось як звучить мій голос.",
    "zh": "早上好！这就是我的声音。",  # noqa: RUF001 - Chinese
}
# Every voice can count in its language.
_ANY_SENTENCE = "1, 2, 3, 4, 5."


def has_sample(voice: Voice) -> bool:
    """Tell whether a voice can be heard by itself: one that sounds like a reference speaker needs one."""
    return not voice.clones


async def speak_sample(speech: SpeechRole, voice: Voice, language: str, correlation_id: str) -> bytes:
    """Return a short sentence in a voice, as a file of ``SAMPLE_FORMAT`` that is marked as synthetic.

    Args:
        speech: Has the voice.
        voice: One of its voices.
        language: One of the voice's languages.
        correlation_id: For the log lines of the role.

    Raises:
        InputError: The voice says nothing (field ``voice``).
    """
    text = _SENTENCES.get(language.partition("-")[0], _ANY_SENTENCE)
    chunks = speech.synthesize(text, voice=voice, language=language, reference=None, correlation_id=correlation_id)
    samples = [chunk.samples async for chunk in chunks]
    if not sum(map(len, samples)):
        raise InputError("nothing_to_say", f"{voice.id} has nothing to say in {language}.", field="voice")
    return encode(samples, SAMPLE_FORMAT, voice.sample_rate, tags=SyntheticMark(voice.engine, voice.id))
