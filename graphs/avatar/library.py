"""Avatars: the one that everybody has, and those that owners upload; made ready for films."""

import asyncio
import io
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, BinaryIO
from uuid import UUID, uuid4

import structlog

from deployments.errors import RoleUnavailable
from deployments.references import SharedFace
from graphs.avatar.faces import face_key, faces_folder, memory_of, read_face
from graphs.common.cache import Memory
from graphs.common.config import MEBIBYTE, AvatarSettings
from graphs.common.roles import LipsyncRole
from models.errors import InputError
from models.lipsync import PreparedFace
from models.samples import PORTRAIT
from models.video.types import AvatarFile, AvatarKind, AvatarLimits
from storage.avatars import AvatarNotFound, Avatars, StoredAvatar, avatar_prefix
from storage.objects import ObjectNotFound, ObjectStore, ObjectTooLarge, StorageError

DEFAULT_AVATAR = "default"
"""Id of the bundled avatar, which everybody has."""

MEMORY_BYTES = 512 * MEBIBYTE
MAX_DATA_BYTES = 256 * MEBIBYTE
MAX_PICTURE_BYTES = 16 * MEBIBYTE
MAX_FACE_BYTES = 512 * MEBIBYTE
# Faces of earlier engines are erased so late, since replicas of two releases may work beside one another.
FACES_KEPT = timedelta(days=1)
# A picture of the largest size takes some hundred megabytes while it is read.
_READ_AT_ONCE = 2
_RETRY_AFTER_REPLACEMENT_S = 10.0
_BUNDLED_FOLDER = "system/avatars/"
_log = structlog.get_logger()


@dataclass(frozen=True)
class Avatar:
    """A face that can be seen speaking.

    Attributes:
        id: ``default``, or a UUID.
        name: What its owner calls it.
        kind: A still picture, or a clip.
        width: In pixels.
        height: In pixels.
        frames: 1 for a still.
        faces: How many faces are in it; the largest speaks.
        content_hash: SHA-256 of its file, 64 hex digits.
        created_at: When it was uploaded; None for the bundled one.
        folder: Where its objects lie in the object store.
        object_key: The object with its file; None for the bundled one.
        picture_key: The object with a JPEG to show of it; None for the bundled one.
    """

    id: str
    name: str
    kind: AvatarKind
    width: int
    height: int
    frames: int
    faces: int
    content_hash: str
    created_at: datetime | None
    folder: str
    object_key: str | None
    picture_key: str | None


@dataclass(frozen=True, slots=True, eq=False)
class ReadyAvatar:
    """An avatar with all that a film of it needs besides the speech.

    Attributes:
        kind: A still picture, or a clip.
        data: Its file, as ``models.video.footage.open_footage`` takes it.
        face: Its prepared face.
        shared: The same, for whichever replica draws it.
        width: In pixels.
        height: In pixels.
        faces: How many faces are in it; the largest speaks.
    """

    kind: AvatarKind
    data: bytes
    face: PreparedFace
    shared: SharedFace
    width: int
    height: int
    faces: int


async def stored_avatar(store: Avatars, owner_id: int, avatar_id: str | UUID) -> StoredAvatar:
    """Return the avatar of that id that the owner uploaded.

    Raises:
        AvatarNotFound: There is none, or it is another owner's, or the id is no UUID.
    """
    try:
        wanted = UUID(str(avatar_id))
    except ValueError:
        raise AvatarNotFound(avatar_id) from None
    return await store.get(owner_id, wanted)


# Inside AvatarLibrary, `list` is the method.
_Avatars = list[Avatar]


class AvatarLibrary:
    """The avatars of all owners.

    Every method that takes an owner sees that owner's avatars and the bundled one.

    Args:
        store: What is known of those that owners uploaded.
        objects: Where their files lie, and the prepared faces of all.
        lipsync: Prepares faces.
        settings: What is accepted.
        share: Puts a prepared face's file where the replicas of the role find it, and returns what they are given.
        memory_bytes: How much the avatars may take that are kept ready in memory.
        clock: Tells the time.
    """

    def __init__(
        self,
        store: Avatars,
        objects: ObjectStore,
        lipsync: LipsyncRole,
        settings: AvatarSettings,
        share: Callable[[bytes], Any],
        *,
        memory_bytes: int = MEMORY_BYTES,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._store = store
        self._objects = objects
        self._lipsync = lipsync
        self._settings = settings
        self._share = share
        self._memory: Memory[ReadyAvatar] = Memory(memory_bytes)
        self._clock = clock
        self._reading = asyncio.Semaphore(_READ_AT_ONCE)
        self._opening = asyncio.Lock()
        self._bundled: AvatarFile | None = None

    async def add(self, owner_id: int, name: str, source: str | bytes, correlation_id: str) -> Avatar:
        """Keep a picture or a clip as an avatar, if there is a face in it.

        Args:
            owner_id: Whose it is.
            name: 1 to 100 printable characters, unique among the owner's avatars.
            source: The file, or the key of the object that is it.
            correlation_id: For the log lines of the role.

        Raises:
            InputError: It is no picture or clip that can be used, or has no face that can (field ``file``).
            RoleUnavailable: The role can't look for a face now.
            AvatarNameTaken, TooManyAvatars, OwnerNotFound: See ``storage.avatars.Avatars.create``.
            ValueError: The name is not acceptable.
        """
        most = self._settings.max_per_owner
        await self._store.check_room(owner_id, name, max_avatars=most)
        async with self._reading:
            file = await asyncio.to_thread(self._read, source)
        fingerprint = await self._lipsync.fingerprint()
        packed = await self._prepared(file.data, file.kind, fingerprint, correlation_id)
        face = await asyncio.to_thread(_face_in, packed, file)
        avatar_id = uuid4()
        folder = avatar_prefix(owner_id, avatar_id)
        objects = {
            f"{folder}avatar": (file.data, "image/png" if file.kind == "still" else "video/mp4"),
            f"{folder}picture": (file.picture, "image/jpeg"),
            face_key(folder, fingerprint): (packed, None),
        }
        try:
            await _to_its_end(self._put, objects)
            stored = await self._store.create(
                owner_id,
                name,
                avatar_id=avatar_id,
                kind=file.kind,
                width=file.width,
                height=file.height,
                frames=file.frames,
                faces=face.faces,
                content_hash=file.content_hash,
                object_key=f"{folder}avatar",
                picture_key=f"{folder}picture",
                max_avatars=most,
            )
        except BaseException:
            await asyncio.shield(self._undo(owner_id, avatar_id))
            raise
        return _avatar_of(owner_id, stored)

    async def find(self, owner_id: int, avatar_id: str | UUID) -> Avatar:
        """Return the avatar of that id.

        Raises:
            AvatarNotFound: There is none, or it is another owner's.
        """
        if avatar_id == DEFAULT_AVATAR:
            return await self.default()
        return _avatar_of(owner_id, await stored_avatar(self._store, owner_id, avatar_id))

    async def list(self, owner_id: int) -> _Avatars:
        """Return the owner's avatars in the order in which they were uploaded, the bundled one before them."""
        return [await self.default(), *(_avatar_of(owner_id, stored) for stored in await self._store.list(owner_id))]

    async def default(self) -> Avatar:
        """Return the bundled avatar."""
        file = await self._bundled_file()
        return Avatar(
            id=DEFAULT_AVATAR,
            name=DEFAULT_AVATAR,
            kind=file.kind,
            width=file.width,
            height=file.height,
            frames=file.frames,
            faces=1,
            content_hash=file.content_hash,
            created_at=None,
            folder=f"{_BUNDLED_FOLDER}{file.content_hash}/",
            object_key=None,
            picture_key=None,
        )

    async def picture(self, avatar: Avatar) -> bytes:
        """Return a JPEG to show of an avatar.

        Raises:
            AvatarNotFound: It was deleted meanwhile.
        """
        if avatar.picture_key is None:
            return (await self._bundled_file()).picture
        return await self._object(avatar, avatar.picture_key, MAX_PICTURE_BYTES)

    async def delete(self, owner_id: int, avatar_id: str | UUID) -> None:
        """Erase an avatar with all that was made of it.

        Raises:
            AvatarNotFound: The owner uploaded none of that id.
        """
        try:
            wanted = UUID(str(avatar_id))
        except ValueError:
            raise AvatarNotFound(avatar_id) from None
        folder = await self._store.delete(owner_id, wanted)
        await asyncio.to_thread(self._objects.delete_prefix, folder)

    async def ready(self, avatar: Avatar, correlation_id: str) -> ReadyAvatar:
        """Return an avatar with its prepared face: from memory, from the object store, or prepared anew and stored.

        Raises:
            AvatarNotFound: It was deleted meanwhile.
            InputError: The engine in force finds no face in it that it can use (field ``avatar``).
            RoleUnavailable: The role can't prepare it now.
        """
        fingerprint = await self._lipsync.fingerprint()
        key = f"{avatar.content_hash}-{fingerprint}"

        async def make() -> tuple[ReadyAvatar, int]:
            data = await self._data(avatar)
            packed, face = await self._face(avatar, data, fingerprint, correlation_id)
            shared = SharedFace(key, await asyncio.to_thread(self._share, packed))
            made = ReadyAvatar(avatar.kind, data, face, shared, avatar.width, avatar.height, face.faces)
            return made, len(data) + len(packed) + memory_of(face)

        return await self._memory.get(key, f"{avatar.folder}{fingerprint}", make)

    async def _data(self, avatar: Avatar) -> bytes:
        if avatar.object_key is None:
            return (await self._bundled_file()).data
        return await self._object(avatar, avatar.object_key, MAX_DATA_BYTES)

    async def _object(self, avatar: Avatar, key: str, limit: int) -> bytes:
        try:
            return await asyncio.to_thread(self._objects.get, key, limit=limit)
        except ObjectNotFound as error:
            raise AvatarNotFound(avatar.id) from error

    async def _face(
        self, avatar: Avatar, data: bytes, fingerprint: str, correlation_id: str
    ) -> tuple[bytes, PreparedFace]:
        """Return an avatar's prepared face, as a file too: the stored one where that is whole, else a new one."""
        key = face_key(avatar.folder, fingerprint)
        try:
            packed = await asyncio.to_thread(self._objects.get, key, limit=MAX_FACE_BYTES)
            return packed, await asyncio.to_thread(_face_in, packed, avatar)
        except ObjectNotFound:
            pass
        except (ObjectTooLarge, ValueError) as error:
            _log.warning("a stored face is damaged and is prepared anew", avatar=avatar.id, reason=str(error))
        try:
            packed = await self._prepared(data, avatar.kind, fingerprint, correlation_id)
        except InputError as error:
            raise InputError(error.code, error.message, field="avatar") from error
        face = await asyncio.to_thread(_face_in, packed, avatar)
        try:
            await asyncio.to_thread(self._store_face, avatar.folder, key, packed)
        except StorageError:
            # The film can be made all the same; the next process prepares the face again.
            _log.warning("a prepared face was not stored", avatar=avatar.id, exc_info=True)
        return packed, face

    async def _prepared(self, data: bytes, kind: AvatarKind, fingerprint: str, correlation_id: str) -> bytes:
        """Have a face prepared by the engine of that fingerprint."""
        packed, made_by = await self._lipsync.prepare(data, kind, correlation_id=correlation_id)
        if made_by != fingerprint:
            raise RoleUnavailable("the engine is being replaced", retry_after=_RETRY_AFTER_REPLACEMENT_S)
        return packed

    def _store_face(self, folder: str, key: str, packed: bytes) -> None:
        self._objects.put(key, packed)
        self._objects.expire(faces_folder(folder), older_than=self._clock() - FACES_KEPT)

    def _read(self, source: str | bytes) -> AvatarFile:
        # The readers of pictures and clips take a while to import.
        from models.video.avatar_file import read_avatar

        settings = self._settings
        limits = AvatarLimits(
            max_bytes=settings.max_bytes,
            max_pixels=settings.max_pixels,
            min_side=settings.min_side,
            max_side=settings.max_side,
            max_clip_seconds=settings.max_clip_seconds,
        )
        opened: BinaryIO = io.BytesIO(source) if isinstance(source, bytes) else self._objects.open(source)
        with opened:
            return read_avatar(opened, limits)

    async def _bundled_file(self) -> AvatarFile:
        async with self._opening:
            if self._bundled is None:
                self._bundled = await asyncio.to_thread(_read_bundled, self._settings.max_side)
        return self._bundled

    def _put(self, objects: Mapping[str, tuple[bytes, str | None]]) -> None:
        for key, (data, content_type) in objects.items():
            self._objects.put(key, data, content_type=content_type)

    async def _undo(self, owner_id: int, avatar_id: UUID) -> None:
        """Leave nothing of an avatar that was not kept."""
        try:
            # Whether the row was written is not known when the connection broke at its end.
            with suppress(AvatarNotFound):
                await self._store.delete(owner_id, avatar_id)
            await asyncio.to_thread(self._objects.delete_prefix, avatar_prefix(owner_id, avatar_id))
        except Exception:
            _log.warning("objects of an avatar that was not kept are left to the retention loop", exc_info=True)


def _read_bundled(max_side: int) -> AvatarFile:
    from models.video.avatar_file import read_avatar

    return read_avatar(io.BytesIO(PORTRAIT.read_bytes()), AvatarLimits(max_side=max_side))


async def _to_its_end(function: Callable[..., None], *args: object) -> None:
    """Run a function in a thread, and wait for its end also when cancelled: what it does is then over."""
    running = asyncio.ensure_future(asyncio.to_thread(function, *args))
    try:
        await asyncio.shield(running)
    finally:
        await asyncio.wait([running])


def _face_in(packed: bytes, avatar: Avatar | AvatarFile) -> PreparedFace:
    return read_face(packed, width=avatar.width, height=avatar.height, frames=avatar.frames)


def _avatar_of(owner_id: int, stored: StoredAvatar) -> Avatar:
    return Avatar(
        id=str(stored.id),
        name=stored.name,
        kind=stored.kind,
        width=stored.width,
        height=stored.height,
        frames=stored.frames,
        faces=stored.faces,
        content_hash=stored.content_hash,
        created_at=stored.created_at,
        folder=avatar_prefix(owner_id, stored.id),
        object_key=stored.object_key,
        picture_key=stored.picture_key,
    )
