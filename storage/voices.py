"""Registered voices: reference speech and speaker embeddings for synthetic speech."""

import math
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID, uuid4

from psycopg.types.json import Jsonb

from storage.clock import utc_now
from storage.database import Connection, Database
from storage.jobs.errors import OwnerNotFound
from storage.names import checked_name

_LONGEST_EMBEDDING = 8192
_LONGEST_ENCODER = 100
_MOST_VOICES = 100

Embeddings = Mapping[str, Sequence[float]]


class VoiceNotFound(Exception):
    """No such voice, or it is another owner's."""

    def __init__(self, voice: UUID | str) -> None:
        super().__init__(f"there is no voice {voice}")
        self.voice = voice


class VoiceNameTaken(Exception):
    """The owner has a voice of that name."""

    def __init__(self, name: str) -> None:
        super().__init__(f"there is a voice {name!r} already")
        self.name = name


class TooManyVoices(Exception):
    """The owner's limit of voices is reached.

    Attributes:
        limit: The limit.
    """

    def __init__(self, limit: int) -> None:
        super().__init__(f"{limit} voices are registered already, the most that one owner may have")
        self.limit = limit


@dataclass(frozen=True)
class RegisteredVoice:
    """A speaker whose voice synthetic speech can imitate.

    Attributes:
        id: The voice's id.
        name: The name given by the owner; unique among the owner's voices.
        language: Code of the language of the reference speech, where it is known.
        seconds: Length of the reference speech.
        reference_key: The object with the reference speech.
        embeddings: The speaker's embedding float32[D] by each encoder, by the encoder's name.
        created_at: Time of registration.
        updated_at: Time of the last change.
    """

    id: UUID
    name: str
    language: str | None
    seconds: float
    reference_key: str
    embeddings: Mapping[str, tuple[float, ...]]
    created_at: datetime
    updated_at: datetime


# Inside Voices, `list` is the method.
_Voices = list[RegisteredVoice]
_Keys = list[str]


def voices_prefix(owner_id: int) -> str:
    """Return the folder of the object store for the reference speech of an owner's voices."""
    return f"voices/{owner_id}/"


def new_voice_key(owner_id: int) -> str:
    """Return a new key for the reference speech of one of the owner's voices."""
    return f"{voices_prefix(owner_id)}{uuid4().hex}"


class Voices:
    """The registered voices of all owners.

    Every method sees the given owner's voices only: another's don't exist for it.

    Args:
        database: An open database with the current schema.
        clock: Tells the time.
    """

    def __init__(self, database: Database, *, clock: Callable[[], datetime] = utc_now) -> None:
        self._database = database
        self._clock = clock

    async def create(
        self,
        owner_id: int,
        name: str,
        *,
        reference_key: str,
        seconds: float,
        language: str | None = None,
        embeddings: Embeddings | None = None,
        max_voices: int = _MOST_VOICES,
    ) -> RegisteredVoice:
        """Register a voice.

        Args:
            owner_id: The owner.
            name: 1 to 100 printable characters; space around it is dropped.
            reference_key: The object with the reference speech, made by ``new_voice_key``; it is the voice's from now
                on.
            seconds: Length of the reference speech.
            language: Code of its language.
            embeddings: By the name of the encoder.
            max_voices: The owner's limit of voices.

        Raises:
            VoiceNameTaken: The owner has a voice of that name.
            TooManyVoices: The owner has ``max_voices`` voices.
            OwnerNotFound: There is no such user.
            ValueError: The name, the key, the length or an embedding is not acceptable.
        """
        row = self._row(owner_id, name, reference_key, seconds, language, embeddings)
        async with self._database.connection() as connection:
            names = await _locked_names(connection, owner_id)
            if row["name"] in names:
                raise VoiceNameTaken(row["name"])
            if len(names) >= max_voices:
                raise TooManyVoices(max_voices)
            return await _insert(connection, row)

    async def put(
        self,
        owner_id: int,
        name: str,
        *,
        reference_key: str,
        seconds: float,
        language: str | None = None,
        embeddings: Embeddings | None = None,
        max_voices: int = _MOST_VOICES,
    ) -> tuple[RegisteredVoice, _Keys]:
        """Register a voice in the place of the one with that name, where there is one.

        Arguments and errors are those of ``create``, but the name may be taken.

        Returns:
            The voice, which has a new id, and the keys of the replaced one's objects, for the caller to delete.
        """
        row = self._row(owner_id, name, reference_key, seconds, language, embeddings)
        async with self._database.connection() as connection:
            names = await _locked_names(connection, owner_id)
            if row["name"] not in names and len(names) >= max_voices:
                raise TooManyVoices(max_voices)
            cursor = await connection.execute(
                "DELETE FROM voices WHERE owner_id = %(owner_id)s AND name = %(name)s RETURNING reference_key", row
            )
            replaced = [old["reference_key"] for old in await cursor.fetchall()]
            return await _insert(connection, row), replaced

    async def get(self, owner_id: int, voice_id: UUID) -> RegisteredVoice:
        """Return the voice with that id.

        Raises:
            VoiceNotFound: The owner has none.
        """
        async with self._database.connection() as connection:
            cursor = await connection.execute(
                "SELECT * FROM voices WHERE owner_id = %s AND id = %s", [owner_id, voice_id]
            )
            return _found(await cursor.fetchone(), voice_id)

    async def named(self, owner_id: int, name: str) -> RegisteredVoice:
        """Return the voice with that name.

        Raises:
            VoiceNotFound: The owner has none.
        """
        try:
            wanted = _normal(name)
        except ValueError:
            raise VoiceNotFound(name) from None
        async with self._database.connection() as connection:
            cursor = await connection.execute(
                "SELECT * FROM voices WHERE owner_id = %s AND name = %s", [owner_id, wanted]
            )
            return _found(await cursor.fetchone(), name)

    async def list(self, owner_id: int) -> _Voices:
        """Return the owner's voices, in the order in which they were registered."""
        async with self._database.connection() as connection:
            cursor = await connection.execute(
                "SELECT * FROM voices WHERE owner_id = %s ORDER BY created_at, id", [owner_id]
            )
            return [_voice_of(row) for row in await cursor.fetchall()]

    async def add_embedding(
        self, owner_id: int, voice_id: UUID, encoder: str, embedding: Sequence[float]
    ) -> RegisteredVoice:
        """Store an encoder's embedding of a voice, in the place of the one from that encoder.

        Raises:
            VoiceNotFound: The owner has no such voice.
            ValueError: The encoder's name or the embedding is not acceptable.
        """
        values = _jsonb({encoder: embedding})
        async with self._database.connection() as connection:
            cursor = await connection.execute(
                """
                UPDATE voices SET embeddings = embeddings || %s, updated_at = %s
                WHERE owner_id = %s AND id = %s RETURNING *
                """,
                [values, self._clock(), owner_id, voice_id],
            )
            return _found(await cursor.fetchone(), voice_id)

    async def delete(self, owner_id: int, voice_id: UUID) -> _Keys:
        """Delete a voice.

        Returns:
            Keys of the objects that belonged to it, for the caller to delete.

        Raises:
            VoiceNotFound: The owner has none.
        """
        async with self._database.connection() as connection:
            cursor = await connection.execute(
                "DELETE FROM voices WHERE owner_id = %s AND id = %s RETURNING reference_key", [owner_id, voice_id]
            )
            row = await cursor.fetchone()
        if row is None:
            raise VoiceNotFound(voice_id)
        return [row["reference_key"]]

    def _row(
        self,
        owner_id: int,
        name: str,
        reference_key: str,
        seconds: float,
        language: str | None,
        embeddings: Embeddings | None,
    ) -> dict[str, Any]:
        if not reference_key.startswith(voices_prefix(owner_id)):
            raise ValueError(f"the reference speech of a voice lies below {voices_prefix(owner_id)}")
        if not (math.isfinite(seconds) and seconds > 0):
            raise ValueError("a voice needs reference speech")
        return {
            "id": uuid4(),
            "owner_id": owner_id,
            "name": _normal(name),
            "language": language,
            "seconds": seconds,
            "reference_key": reference_key,
            "embeddings": _jsonb(embeddings or {}),
            "now": self._clock(),
        }


async def _locked_names(connection: Connection, owner_id: int) -> set[str]:
    """Return the names of the owner's voices, and lock out other additions until the transaction's end."""
    cursor = await connection.execute("SELECT id FROM users WHERE id = %s FOR NO KEY UPDATE", [owner_id])
    if await cursor.fetchone() is None:
        raise OwnerNotFound(f"there is no user {owner_id}")
    cursor = await connection.execute("SELECT name FROM voices WHERE owner_id = %s", [owner_id])
    return {row["name"] for row in await cursor.fetchall()}


async def _insert(connection: Connection, row: dict[str, Any]) -> RegisteredVoice:
    cursor = await connection.execute(
        """
        INSERT INTO voices (id, owner_id, name, language, seconds, reference_key, embeddings, created_at, updated_at)
        VALUES (%(id)s, %(owner_id)s, %(name)s, %(language)s, %(seconds)s, %(reference_key)s, %(embeddings)s,
                %(now)s, %(now)s)
        RETURNING *
        """,
        row,
    )
    (inserted,) = await cursor.fetchall()
    return _voice_of(inserted)


def _found(row: dict[str, Any] | None, wanted: UUID | str) -> RegisteredVoice:
    if row is None:
        raise VoiceNotFound(wanted)
    return _voice_of(row)


def _voice_of(row: dict[str, Any]) -> RegisteredVoice:
    return RegisteredVoice(
        id=row["id"],
        name=row["name"],
        language=row["language"],
        seconds=row["seconds"],
        reference_key=row["reference_key"],
        embeddings={encoder: tuple(map(float, values)) for encoder, values in row["embeddings"].items()},
        created_at=row["created_at"],
        updated_at=row["updated_at"],
    )


def _normal(name: str) -> str:
    # One name has several spellings in Unicode: they look alike, and so are one.
    return unicodedata.normalize("NFC", checked_name(name))


def _jsonb(embeddings: Embeddings) -> Jsonb:
    checked = {}
    for encoder, values in embeddings.items():
        if not 1 <= len(encoder) <= _LONGEST_ENCODER or not encoder.isprintable():
            raise ValueError(f"an encoder's name has 1 to {_LONGEST_ENCODER} printable characters")
        if not 1 <= len(values) <= _LONGEST_EMBEDDING:
            raise ValueError(f"an embedding has 1 to {_LONGEST_EMBEDDING} values")
        checked[encoder] = [float(value) for value in values]
        if not all(map(math.isfinite, checked[encoder])):
            raise ValueError("an embedding's values are finite")
    return Jsonb(checked)
