"""Intelligibility and cost of the synthesisers' voices: each speaks some sentences, which a recogniser writes down.

python -m benchmarks.voices [--voice '{"engine": "piper", "folder": "/models"}' LANGUAGE [VOICE]] ... [--asr JSON]
Prints JSON: for each voice the word and the character error rate of what Whisper base hears (lower case, no
punctuation); for a second of speech the seconds on the clock (rtf) and on the CPU, child processes too (cpu_rtf); the
seconds until the model is loaded, and until the first clause is there (median); and of the sound its peak, its level
(RMS), and the longest silence at an end. Voices whose weights or programs are not on this machine are skipped with the
reason.
"""

# ruff: noqa: RUF001 - Cyrillic
import argparse
import json
import platform
import re
import statistics
import time
from collections.abc import Mapping
from typing import Any

import jiwer
import numpy as np
from numpy.typing import NDArray
from pydantic import TypeAdapter
from scipy.signal import resample_poly

from benchmarks.wer import cpu_seconds
from graphs.common.voices import choose_voice
from models import asr, speech
from models.asr import AsrSettings, FasterWhisperSettings
from models.audio import SAMPLE_RATE
from models.errors import MissingWeights
from models.speech import SpeechSettings

SENTENCES: Mapping[str, tuple[str, ...]] = {
    "en": (
        "The train to the coast leaves at half past nine from the second platform.",
        "Please send me the report before the end of the week.",
        "She bought fresh bread and some apples at the market this morning.",
        "We could not hear the speaker because of the noise outside.",
        "The museum is closed on Mondays, but the garden is open every day.",
        "He asked the doctor whether the medicine was really necessary.",
        "Tomorrow it will be cloudy with a little rain in the evening.",
        "The children were playing football behind the old school.",
    ),
    "ru": (
        "Поезд до Москвы отправляется поздно вечером со второго пути.",
        "Пожалуйста, пришлите мне отчёт до конца недели.",
        "Утром она купила на рынке свежий хлеб и яблоки.",
        "Мы не слышали докладчика из-за шума на улице.",
        "По понедельникам музей закрыт, но парк открыт каждый день.",
        "Он спросил врача, действительно ли нужно это лекарство.",
        "Завтра будет облачно, вечером возможен небольшой дождь.",
        "Дети играли в футбол за старой школой.",
    ),
    "es": (
        "El tren para la costa sale a las nueve y media del segundo andén.",
        "Por favor, envíeme el informe antes del fin de semana.",
        "Esta mañana ella compró pan fresco y manzanas en el mercado.",
        "No pudimos oír al profesor por el ruido de la calle.",
        "El museo cierra los lunes, pero el jardín está abierto todos los días.",
        "Le preguntó al médico si la medicina era realmente necesaria.",
        "Mañana estará nublado y por la noche habrá un poco de lluvia.",
        "Los niños jugaban al fútbol detrás de la vieja escuela.",
    ),
}
_ESPEAK, _KOKORO = '{"engine": "espeak"}', '{"engine": "kokoro"}'
DEFAULTS = (
    (_ESPEAK, "en"),
    ('{"engine": "hibari"}', "en"),
    ('{"engine": "piper", "folder": "set://piper-en-us-joe"}', "en"),
    (_KOKORO, "en"),
    (_ESPEAK, "es"),
    (_KOKORO, "es"),
    (_ESPEAK, "ru"),
    ('{"engine": "festival"}', "ru"),
)
_HEARD = 0.01


def words(text: str) -> str:
    """Return lower-case words without punctuation and the dots of ё, which people write or not."""
    return " ".join(re.findall(r"[\w']+", text.lower())).replace("ё", "е")


def spoken(settings: SpeechSettings, language: str, wanted: str | None) -> tuple[dict[str, Any], list[NDArray[Any]]]:
    """Speak the sentences of a language; return what it took, and each as float32 at 16 kHz."""
    started = time.perf_counter()
    engine = speech.build(settings)
    voice, code = choose_voice(engine.voices, language, wanted)
    model = engine.load(voice.model)
    loading = time.perf_counter() - started
    list(speech.speak(model, SENTENCES[language][0], voice=voice, language=code))  # warm
    sounds, first = [], []
    busy, started = cpu_seconds(), time.perf_counter()
    for sentence in SENTENCES[language]:
        began = time.perf_counter()
        chunks = []
        for chunk in speech.speak(model, sentence, voice=voice, language=code):
            if not chunks:
                first.append(time.perf_counter() - began)
            chunks.append(chunk.samples)
        sounds.append(np.concatenate(chunks))
    taken, busy = time.perf_counter() - started, cpu_seconds() - busy
    seconds = sum(map(len, sounds)) / voice.sample_rate
    ends = [np.flatnonzero(np.abs(sound) > _HEARD) for sound in sounds]
    result = {
        "engine": settings.engine,
        "voice": voice.id,
        "language": language,
        "seconds_of_speech": round(seconds, 1),
        "rtf": round(taken / seconds, 3),
        "cpu_rtf": round(busy / seconds, 3),
        "loading_seconds": round(loading, 2),
        "first_clause_seconds": round(statistics.median(first), 3),
        "sample_rate": voice.sample_rate,
        "peak": round(max(float(np.abs(sound).max()) for sound in sounds), 3),
        "rms": round(float(np.sqrt(np.mean(np.concatenate(sounds) ** 2))), 3),
        "clipped_samples": sum(int((np.abs(sound) >= 1).sum()) for sound in sounds),
        "silence_at_ends_seconds": round(
            max(max(heard[0], len(sound) - heard[-1]) for heard, sound in zip(ends, sounds, strict=True))
            / voice.sample_rate,
            3,
        ),
    }
    return result, [resample_poly(sound, SAMPLE_RATE, voice.sample_rate).astype(np.float32) for sound in sounds]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--voice", action="append", nargs="+", metavar="ENGINE LANGUAGE [VOICE]", help="in place of the default ones"
    )
    parser.add_argument("--asr", help="settings of the recogniser, as JSON")
    arguments = parser.parse_args()
    recogniser: TypeAdapter[AsrSettings] = TypeAdapter(AsrSettings)
    ears = asr.build(
        recogniser.validate_json(arguments.asr)
        if arguments.asr
        else FasterWhisperSettings(model="set://whisper-base", device="cpu", compute_type="int8")
    )
    adapter: TypeAdapter[SpeechSettings] = TypeAdapter(SpeechSettings)
    results = []
    for engine, language, *voice in arguments.voice or DEFAULTS:
        try:
            result, sounds = spoken(adapter.validate_json(engine), language, next(iter(voice), None))
        except MissingWeights as missing:
            results.append({"engine": json.loads(engine)["engine"], "language": language, "skipped": str(missing)})
            continue
        heard = [
            words(" ".join(segment.text for segment in ears.transcribe(sound, language=language).segments))
            for sound in sounds
        ]
        meant = [words(sentence) for sentence in SENTENCES[language]]
        compared, letters = jiwer.process_words(meant, heard), jiwer.process_characters(meant, heard)
        wrong = compared.substitutions + compared.deletions + compared.insertions
        errors = {"wrong_words": wrong, "wer": round(compared.wer, 3), "cer": round(letters.cer, 3)}
        results.append({**result, "words": sum(len(sentence.split()) for sentence in meant), **errors})
    print(json.dumps({"cpu": platform.processor() or platform.machine(), "voices": results}, indent=2))


if __name__ == "__main__":
    main()
