"""Choice of a voice: one of the engine's in one of its languages, perhaps sounding like a registered speaker."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

import numpy as np

from graphs.common.roles import SpeechRole
from models.audio import AudioLimits, decode
from models.errors import InputError
from models.speech import Reference, Voice
from storage.objects import ObjectStore
from storage.voices import RegisteredVoice, VoiceNotFound, Voices

DEFAULT_VOICE = "default"
_LISTED = 40
_REFERENCE = AudioLimits(min_seconds=0.1, max_seconds=600.0)


@dataclass(frozen=True)
class Speaker:
    """Voice and language of synthetic speech.

    Attributes:
        voice: One of the engine's voices.
        language: One of that voice's languages.
        reference: Whom to sound like, for a voice that clones.
        name: What the caller knows the voice by.
    """

    voice: Voice
    language: str
    reference: Reference | None
    name: str


def choose_voice(
    voices: Sequence[Voice],
    language: str | None,
    wanted: str | None = None,
    *,
    clones: bool = False,
    language_field: str = "language",
) -> tuple[Voice, str]:
    """Return the voice that speaks a language, and its own code for that language.

    Args:
        voices: What the synthesiser has, the default of each language before its others.
        language: Code of the language (``en``, ``en-gb``); None takes the wanted voice's own.
        wanted: Id of the voice; None takes the language's first.
        clones: Whether it must sound like a reference speaker.
        language_field: What the request calls the language.

    Raises:
        InputError: There is none such (``unknown_voice``, ``unsupported_voice`` or ``unsupported_language``).
    """
    if wanted is not None:
        return _wanted(voices, language, wanted, clones)
    if language is None:
        raise InputError("missing_language", "Name a language or a voice.", field=language_field)
    speaking = [(voice, code) for voice in voices if (code := spoken_code(voice, language))]
    if not speaking:
        known = _listed(sorted({code for voice in voices for code in voice.languages}))
        raise InputError(
            "unsupported_language", f"No voice speaks {language!r}; there are {known}.", field=language_field
        )
    # A voice of that region comes before a better one of another.
    speaking.sort(key=lambda choice: choice[1] != language)
    fitting = next((choice for choice in speaking if choice[0].clones == clones), None)
    if fitting is None and clones:
        raise InputError(
            "unsupported_voice", f"No voice for {language} can sound like a registered speaker.", field="voice"
        )
    return fitting or speaking[0]


def _wanted(voices: Sequence[Voice], language: str | None, wanted: str, clones: bool) -> tuple[Voice, str]:
    found = next((voice for voice in voices if voice.id == wanted), None)
    if found is None:
        known = _listed([voice.id for voice in voices if language is None or spoken_code(voice, language)])
        raise InputError("unknown_voice", f"There is no voice {wanted!r}; there are {known}.", field="voice")
    code = found.languages[0] if language is None else spoken_code(found, language)
    if code is None:
        spoken = _listed(found.languages)
        raise InputError("unsupported_voice", f"{wanted} speaks {spoken}, not {language}.", field="voice")
    if clones and not found.clones:
        raise InputError("unsupported_voice", f"{wanted} can't sound like another speaker.", field="voice")
    return found, code


def spoken_code(voice: Voice, language: str) -> str | None:
    """Return the voice's own code for a language (``en-gb`` for ``en``), None where it does not speak it."""
    if language in voice.languages:
        return language
    base = language.partition("-")[0]
    return next((code for code in voice.languages if code.partition("-")[0] == base), None)


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - _LISTED} more (GET /v1/voices lists them)" if len(names) > _LISTED else ""
    return (", ".join(names[:_LISTED]) or "none") + more


@dataclass(frozen=True)
class Speakers:
    """Finds who is meant by the name of a voice.

    Args:
        speech: Whose voices there are.
        registered: Voices that owners have registered.
        objects: Where their reference speech lies.
    """

    speech: SpeechRole
    registered: Voices
    objects: ObjectStore

    async def find(
        self, owner_id: int, wanted: str | None, language: str | None, *, language_field: str = "language"
    ) -> Speaker:
        """Return who is meant.

        Args:
            owner_id: Who asks.
            wanted: Id of an engine's voice, or id or name of a registered one; None or ``default`` takes the
                language's first.
            language: Code of the language; None takes the voice's own.
            language_field: What the request calls the language.

        Raises:
            InputError: There is none such; see ``choose_voice``.
        """
        voices = await self.speech.voices()
        if wanted == DEFAULT_VOICE:
            wanted = None
        if wanted is None or any(voice.id == wanted for voice in voices):
            voice, code = choose_voice(voices, language, wanted, language_field=language_field)
            return Speaker(voice, code, None, voice.id)
        registered = await self._registered(owner_id, wanted)
        if registered is None:
            choose_voice(voices, language, wanted, language_field=language_field)
            raise AssertionError("unreachable: an unknown voice is refused")
        voice, code = choose_voice(voices, language or registered.language, clones=True, language_field=language_field)
        return Speaker(voice, code, await self.reference(registered), registered.name)

    async def _registered(self, owner_id: int, wanted: str) -> RegisteredVoice | None:
        try:
            return await self.registered.get(owner_id, UUID(wanted))
        except (ValueError, VoiceNotFound):
            pass
        try:
            return await self.registered.named(owner_id, wanted)
        except VoiceNotFound:
            return None

    async def reference(self, voice: RegisteredVoice) -> Reference:
        """Return a registered voice's reference speech, with an embedding where there is one."""

        def read() -> Reference:
            with self.objects.open(voice.reference_key) as source:
                pcm = decode(source, _REFERENCE)
            encoder, values = next(iter(voice.embeddings.items()), ("", ()))
            return Reference(pcm, np.array(values, np.float32) if values else None, encoder)

        return await asyncio.to_thread(read)
