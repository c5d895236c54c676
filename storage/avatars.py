"""Avatars: pictures and clips of faces that users upload for talking video."""

import re
import unicodedata
from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal
from uuid import UUID, uuid4

from storage.clock import utc_now
from storage.database import Connection, Database
from storage.jobs.errors import OwnerNotFound
from storage.names import checked_name

AVATARS = "avatars/"
"""The folder of the object store for the avatars of all owners: below it lie ``{owner_id}/{avatar_id}/``."""

_MOST_AVATARS = 50
_SHA_256 = re.compile(r"[0-9a-f]{64}")


class AvatarNotFound(Exception):
    """No such avatar, or it is another owner's."""

    def __init__(self, avatar: UUID | str) -> None:
        super().__init__(f"there is no avatar {avatar}")
        self.avatar = avatar


class AvatarNameTaken(Exception):
    """The owner has an avatar of that name."""

    def __init__(self, name: str) -> None:
        super().__init__(f"there is an avatar {name!r} already")
        self.name = name


class TooManyAvatars(Exception):
    """The owner's limit of avatars is reached.

    Attributes:
        limit: The limit.
    """

    def __init__(self, limit: int) -> None:
        super().__init__(f"{limit} avatars are stored already, the most that one owner may have")
        self.limit = limit


@dataclass(frozen=True)
class StoredAvatar:
    """A stored avatar.

    Attributes:
        id: The avatar's id.
        name: The name given by the owner; unique among the owner's avatars.
        kind: A still picture, or a clip.
        width: In pixels.
        height: In pixels.
        frames: 1 for a still.
        faces: Number of faces in it; the largest speaks.
        content_hash: SHA-256 of the object at ``object_key``, 64 hex digits.
        object_key: The object with the picture or the clip itself.
        picture_key: The object with its preview, a JPEG.
        created_at: When it was stored.
    """

    id: UUID
    name: str
    kind: Literal["still", "clip"]
    width: int
    height: int
    frames: int
    faces: int
    content_hash: str
    object_key: str
    picture_key: str
    created_at: datetime


# Inside Avatars, `list` is the method.
_Avatars = list[StoredAvatar]


def avatars_prefix(owner_id: int) -> str:
    """Return the folder of the object store for an owner's avatars."""
    return f"{AVATARS}{owner_id}/"


def avatar_prefix(owner_id: int, avatar_id: UUID) -> str:
    """Return the folder of the object store for all objects of one avatar, and of nothing else."""
    return f"{avatars_prefix(owner_id)}{avatar_id}/"


class Avatars:
    """The avatars of all owners.

    Every method that takes an owner sees that owner's avatars only: another's don't exist for it.

    Args:
        database: An open database with the current schema.
        clock: Tells the time.
    """

    def __init__(self, database: Database, *, clock: Callable[[], datetime] = utc_now) -> None:
        self._database = database
        self._clock = clock

    async def check_room(self, owner_id: int, name: str, *, max_avatars: int = _MOST_AVATARS) -> None:
        """Raise the error that ``create`` would raise now for want of room or for that name."""
        wanted = _normal(name)
        async with self._database.connection() as connection:
            _check_room(await _names(connection, owner_id), wanted, max_avatars)

    async def create(
        self,
        owner_id: int,
        name: str,
        *,
        avatar_id: UUID | None = None,
        kind: Literal["still", "clip"],
        width: int,
        height: int,
        frames: int,
        faces: int,
        content_hash: str,
        object_key: str,
        picture_key: str,
        max_avatars: int = _MOST_AVATARS,
    ) -> StoredAvatar:
        """Store an avatar.

        Args:
            owner_id: The owner.
            name: 1 to 100 printable characters; space around it is dropped.
            avatar_id: Its id, where its objects were stored under one before.
            kind: A still picture, or a clip.
            width: In pixels.
            height: In pixels.
            frames: 1 for a still.
            faces: Number of faces in it.
            content_hash: SHA-256 of the object at ``object_key``, 64 hex digits.
            object_key: The object with the picture or the clip, below ``avatars_prefix``; it is the avatar's from now
                on.
            picture_key: The object with its preview, a JPEG, likewise.
            max_avatars: The owner's limit of avatars.

        Raises:
            AvatarNameTaken: The owner has an avatar of that name.
            TooManyAvatars: The owner has ``max_avatars`` avatars.
            OwnerNotFound: There is no such user.
            ValueError: The name, a key, the hash or a number is not acceptable.
        """
        for key in (object_key, picture_key):
            if not key.startswith(avatars_prefix(owner_id)):
                raise ValueError(f"the objects of an avatar lie below {avatars_prefix(owner_id)}")
        if min(width, height, frames, faces) < 1 or (kind == "still" and frames != 1):
            raise ValueError("an avatar has a size, a frame at least, a still no more, and a face")
        if not _SHA_256.fullmatch(content_hash):
            raise ValueError("the content hash is not a SHA-256 in hex")
        row: dict[str, Any] = {
            "id": avatar_id or uuid4(),
            "owner_id": owner_id,
            "name": _normal(name),
            "kind": kind,
            "width": width,
            "height": height,
            "frames": frames,
            "faces": faces,
            "content_hash": content_hash,
            "object_key": object_key,
            "picture_key": picture_key,
            "now": self._clock(),
        }
        async with self._database.connection() as connection:
            _check_room(await _locked_names(connection, owner_id), row["name"], max_avatars)
            return await _insert(connection, row)

    async def get(self, owner_id: int, avatar_id: UUID) -> StoredAvatar:
        """Return the avatar with that id.

        Raises:
            AvatarNotFound: The owner has none.
        """
        async with self._database.connection() as connection:
            cursor = await connection.execute(
                "SELECT * FROM avatars WHERE owner_id = %s AND id = %s", [owner_id, avatar_id]
            )
            row = await cursor.fetchone()
        if row is None:
            raise AvatarNotFound(avatar_id)
        return _avatar_of(row)

    async def list(self, owner_id: int) -> _Avatars:
        """Return the owner's avatars, in the order in which they were stored."""
        async with self._database.connection() as connection:
            cursor = await connection.execute(
                "SELECT * FROM avatars WHERE owner_id = %s ORDER BY created_at, id", [owner_id]
            )
            return [_avatar_of(row) for row in await cursor.fetchall()]

    async def delete(self, owner_id: int, avatar_id: UUID) -> str:
        """Delete an avatar.

        Returns:
            The folder of the objects that belonged to it, for the caller to delete.

        Raises:
            AvatarNotFound: The owner has none.
        """
        async with self._database.connection() as connection:
            cursor = await connection.execute(
                "DELETE FROM avatars WHERE owner_id = %s AND id = %s", [owner_id, avatar_id]
            )
            if cursor.rowcount == 0:
                raise AvatarNotFound(avatar_id)
        return avatar_prefix(owner_id, avatar_id)

    async def existing(self, ids: Collection[UUID]) -> frozenset[UUID]:
        """Return those of the ids that are the ids of avatars, of any owner."""
        async with self._database.connection() as connection:
            cursor = await connection.execute("SELECT id FROM avatars WHERE id = ANY(%s)", [[*ids]])
            return frozenset([row["id"] for row in await cursor.fetchall()])


def _check_room(names: Collection[str], wanted: str, most: int) -> None:
    if wanted in names:
        raise AvatarNameTaken(wanted)
    if len(names) >= most:
        raise TooManyAvatars(most)


async def _locked_names(connection: Connection, owner_id: int) -> frozenset[str]:
    """Return the names of the owner's avatars, and lock out other additions until the transaction's end."""
    cursor = await connection.execute("SELECT id FROM users WHERE id = %s FOR NO KEY UPDATE", [owner_id])
    if await cursor.fetchone() is None:
        raise OwnerNotFound(f"there is no user {owner_id}")
    return await _names(connection, owner_id)


async def _names(connection: Connection, owner_id: int) -> frozenset[str]:
    cursor = await connection.execute("SELECT name FROM avatars WHERE owner_id = %s", [owner_id])
    return frozenset([row["name"] for row in await cursor.fetchall()])


async def _insert(connection: Connection, row: dict[str, Any]) -> StoredAvatar:
    cursor = await connection.execute(
        """
        INSERT INTO avatars (id, owner_id, name, kind, width, height, frames, faces, content_hash, object_key,
                             picture_key, created_at)
        VALUES (%(id)s, %(owner_id)s, %(name)s, %(kind)s, %(width)s, %(height)s, %(frames)s, %(faces)s,
                %(content_hash)s, %(object_key)s, %(picture_key)s, %(now)s)
        RETURNING *
        """,
        row,
    )
    (inserted,) = await cursor.fetchall()
    return _avatar_of(inserted)


def _avatar_of(row: dict[str, Any]) -> StoredAvatar:
    return StoredAvatar(**{name: value for name, value in row.items() if name != "owner_id"})


def _normal(name: str) -> str:
    # One name has several spellings in Unicode: they look alike, and so are one.
    return unicodedata.normalize("NFC", checked_name(name))
