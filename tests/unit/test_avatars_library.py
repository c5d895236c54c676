"""Avatars from the upload to the film, over a real database, a directory and a role that needs no model."""

import asyncio
import dataclasses
from collections.abc import AsyncIterator, Callable
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import numpy as np
import pytest
from avatar_pictures import as_jpeg, as_png, face_picture, moving_clip, no_face
from fake_roles import FakeLipsync
from structlog.testing import capture_logs

from deployments.errors import RoleUnavailable
from graphs.avatar.library import DEFAULT_AVATAR, FACES_KEPT, Avatar, AvatarLibrary
from graphs.common.config import AvatarSettings
from models.errors import InputError
from models.lipsync import MouthWarpSettings, PreparedFace
from models.lipsync.mouth_warp import MouthWarpEngine
from models.samples import PORTRAIT
from models.video.footage import open_footage
from models.video.types import AvatarKind
from storage.avatar_orphans import ORPHANED_AFTER, erase_orphans
from storage.avatars import AvatarNameTaken, AvatarNotFound, Avatars, TooManyAvatars, avatars_prefix
from storage.database import Database
from storage.jobs import OwnerNotFound
from storage.objects import DirectorySettings, ObjectInfo, ObjectStore, StorageUnavailable, build
from storage.users import Users

pytestmark = [pytest.mark.unit, pytest.mark.anyio]


class Broken:
    """An object store that fails at keys that end so, if any."""

    def __init__(self, objects: ObjectStore) -> None:
        self._objects = objects
        self.fails_at = ""

    def put(self, key: str, data: bytes, *, content_type: str | None = None) -> ObjectInfo:
        if self.fails_at and key.endswith(self.fails_at):
            raise StorageUnavailable("no space")
        return self._objects.put(key, data, content_type=content_type)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._objects, name)


@dataclasses.dataclass
class Place:
    """A library, everything that it works with, and an owner."""

    database: Database
    objects: Any
    role: FakeLipsync
    owner: int

    def library(self, **settings: Any) -> AvatarLibrary:
        """Return one that remembers nothing."""
        keywords = {name: settings.pop(name) for name in ("memory_bytes", "clock") if name in settings}
        share: Callable[[bytes], Any] = settings.pop("share", lambda data: data)
        return AvatarLibrary(
            Avatars(self.database), self.objects, self.role, AvatarSettings(**settings), share, **keywords
        )

    def keys(self, prefix: str = "") -> list[str]:
        return [info.key for info in self.objects.list(prefix)]


@pytest.fixture
async def place(database: Database, tmp_path: Path) -> AsyncIterator[Place]:
    owner = (await Users(database).create("Ada")).id
    objects = build(DirectorySettings(kind="directory", path=tmp_path))
    yield Place(database, Broken(objects), FakeLipsync(), owner)


def still(warmth: float = 0.0) -> bytes:
    return as_png(face_picture(128, 144, warmth=warmth))


def made_by(face: PreparedFace) -> str:
    return str(face.arrays["made_by"])


async def test_a_picture_becomes_an_avatar_that_is_ready_without_preparing_it_again(place: Place) -> None:
    library = place.library()
    avatar = await library.add(place.owner, " me ", as_jpeg(face_picture(128, 144)), "c1")
    assert (avatar.name, avatar.kind, avatar.width, avatar.height, avatar.frames) == ("me", "still", 128, 144, 1)
    assert place.role.prepared == [("still", "c1")]
    assert await library.find(place.owner, avatar.id) == avatar
    assert await library.find(place.owner, UUID(avatar.id)) == avatar
    assert (await library.picture(avatar)).startswith(b"\xff\xd8\xff")

    ready = await library.ready(avatar, "c2")
    assert place.role.prepared == [("still", "c1")]
    assert (ready.kind, ready.width, ready.height, ready.faces) == ("still", 128, 144, 1)
    assert ready.data.startswith(b"\x89PNG")
    assert ready.shared.key == f"{avatar.content_hash}-fake-1"
    assert PreparedFace.from_bytes(ready.shared.reference).faces == 1
    assert all(key.startswith(avatar.folder) for key in place.keys())


async def test_a_clip_in_the_object_store_becomes_an_avatar(place: Place) -> None:
    library = place.library()
    place.objects.put("uploads/1/x", moving_clip(0.8, width=128, height=144))
    avatar = await library.add(place.owner, "me", "uploads/1/x", "c")
    assert (avatar.kind, avatar.frames) == ("clip", 20)
    assert (await library.ready(avatar, "c")).face.boxes.shape == (20, 4)


async def test_the_number_of_faces_is_kept(place: Place) -> None:
    place.role.faces = 3
    library = place.library()
    avatar = await library.add(place.owner, "we", still(), "c")
    assert (await library.find(place.owner, avatar.id)).faces == 3
    assert (await library.ready(avatar, "c")).faces == 3


@pytest.mark.parametrize("data", [b"", b"no picture", as_png(face_picture(40, 40))])
async def test_what_is_no_picture_leaves_nothing_behind(place: Place, data: bytes) -> None:
    with pytest.raises(InputError):
        await place.library().add(place.owner, "me", data, "c")
    assert (place.keys(), place.role.prepared) == ([], [])


async def test_a_picture_without_a_face_leaves_nothing_behind(place: Place) -> None:
    library = place.library()
    place.role.errors["prepare"] = InputError("no_face", "There is no face in it.")
    with pytest.raises(InputError, match="no face"):
        await library.add(place.owner, "me", as_png(no_face(128, 144)), "c")
    assert place.keys() == []
    assert [avatar.id for avatar in await library.list(place.owner)] == [DEFAULT_AVATAR]


async def test_a_taken_name_and_a_full_library_are_refused_before_any_work(place: Place) -> None:
    library = place.library(max_per_owner=2)
    await library.add(place.owner, "one", still(), "c")
    kept = place.keys()
    with pytest.raises(AvatarNameTaken):
        await library.add(place.owner, "one", still(), "c")
    await library.add(place.owner, "two", still(), "c")
    with pytest.raises(TooManyAvatars):
        await library.add(place.owner, "three", still(), "c")
    assert len(place.role.prepared) == 2
    assert len(place.keys()) == 2 * len(kept)


async def test_of_uploads_under_one_name_at_once_one_is_kept_and_the_others_leave_nothing(place: Place) -> None:
    library = place.library()
    made = await asyncio.gather(
        *(library.add(place.owner, "me", still(), "c") for _ in range(3)), return_exceptions=True
    )
    (kept,) = [avatar for avatar in made if isinstance(avatar, Avatar)]
    assert sum(isinstance(error, AvatarNameTaken) for error in made) == 2
    assert {key.rsplit("/", 1)[0].removesuffix("/faces") + "/" for key in place.keys()} == {kept.folder}


@pytest.mark.parametrize("fails_at", ["avatar", "picture", ".npz"])
async def test_an_outage_in_the_middle_of_an_upload_leaves_nothing_behind(place: Place, fails_at: str) -> None:
    library = place.library()
    place.objects.fails_at = fails_at
    with pytest.raises(StorageUnavailable):
        await library.add(place.owner, "me", still(), "c")
    assert place.keys() == []
    assert len(await library.list(place.owner)) == 1


async def test_an_upload_of_an_owner_who_is_gone_leaves_nothing_behind(place: Place) -> None:
    await Users(place.database).delete(place.owner)
    with pytest.raises(OwnerNotFound):
        await place.library().add(place.owner, "me", still(), "c")
    assert place.keys() == []


async def test_an_upload_that_is_given_up_leaves_nothing_behind(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    library = place.library()
    reached = asyncio.Event()

    async def never(*_args: Any, **_keywords: Any) -> Any:
        reached.set()
        await asyncio.Event().wait()

    monkeypatch.setattr(Avatars, "create", never)
    adding = asyncio.create_task(library.add(place.owner, "me", still(), "c"))
    await reached.wait()
    assert place.keys() != []
    adding.cancel()
    with pytest.raises(asyncio.CancelledError):
        await adding
    assert place.keys() == []


async def test_another_owners_avatar_does_not_exist(place: Place) -> None:
    eve = (await Users(place.database).create("Eve")).id
    library = place.library()
    avatar = await library.add(place.owner, "me", still(), "c")
    with pytest.raises(AvatarNotFound):
        await library.find(eve, avatar.id)
    with pytest.raises(AvatarNotFound):
        await library.delete(eve, avatar.id)
    assert [found.id for found in await library.list(eve)] == [DEFAULT_AVATAR]
    assert [found.id for found in await library.list(place.owner)] == [DEFAULT_AVATAR, avatar.id]


@pytest.mark.parametrize("wanted", ["", "nobody", "../default", "DEFAULT", "57f29048-84cc-4ca0-bb99-8ef7bad20ca6"])
async def test_an_id_that_nobody_has_is_not_found(place: Place, wanted: str) -> None:
    with pytest.raises(AvatarNotFound):
        await place.library().find(place.owner, wanted)


async def test_deleting_one_of_two_avatars_of_one_content_leaves_the_other_whole(place: Place) -> None:
    library = place.library()
    first = await library.add(place.owner, "one", still(), "c")
    second = await library.add(place.owner, "two", still(), "c")
    assert first.content_hash == second.content_hash
    await library.delete(place.owner, first.id)
    with pytest.raises(AvatarNotFound):
        await library.find(place.owner, first.id)
    assert not place.keys(first.folder)
    anew = place.library()
    assert (await anew.ready(second, "c")).data.startswith(b"\x89PNG")
    assert (await anew.picture(second)).startswith(b"\xff\xd8")
    with pytest.raises(AvatarNotFound):
        await place.library().ready(first, "c")
    with pytest.raises(AvatarNotFound):
        await library.picture(first)


async def test_the_bundled_avatar_is_everybodys_and_is_prepared_once_for_all_processes(place: Place) -> None:
    library = place.library()
    default = await library.find(place.owner, DEFAULT_AVATAR)
    assert (default.id, default.kind, default.frames, default.created_at) == (DEFAULT_AVATAR, "still", 1, None)
    assert (await library.picture(default)).startswith(b"\xff\xd8")
    assert place.role.prepared == []
    ready = await library.ready(default, "c")
    again = await place.library().ready(await place.library().default(), "c")
    assert ready.data == again.data
    assert len(place.role.prepared) == 1
    (key,) = place.keys()
    assert default.content_hash in key
    assert not key.startswith(avatars_prefix(place.owner))
    with pytest.raises(AvatarNotFound):
        await library.delete(place.owner, DEFAULT_AVATAR)


@pytest.mark.slow
def test_the_bundled_avatar_has_the_one_face_that_is_said_of_it() -> None:
    with closing(open_footage(PORTRAIT.read_bytes(), "still")) as footage:
        assert MouthWarpEngine(MouthWarpSettings()).prepare(footage.unique()).faces == 1


async def test_callers_of_one_avatar_at_once_share_one_preparation_and_may_leave(place: Place) -> None:
    library = place.library()
    default = await library.default()
    place.role.gate = asyncio.Event()
    callers = [asyncio.create_task(library.ready(default, f"c{n}")) for n in range(4)]
    await place.role.preparing.wait()
    callers[0].cancel()
    place.role.gate.set()
    left, *others = await asyncio.gather(*callers, return_exceptions=True)
    assert isinstance(left, asyncio.CancelledError)
    assert len({id(ready) for ready in others}) == 1
    assert await library.ready(default, "c") is others[0]
    assert len(place.role.prepared) == 1


async def test_a_failed_preparation_is_told_to_all_who_wait_and_tried_anew_by_the_next(place: Place) -> None:
    library = place.library()
    default = await library.default()
    place.role.errors["prepare"] = InputError("face_too_small", "The face is too small.")
    failed = await asyncio.gather(*(library.ready(default, "c") for _ in range(2)), return_exceptions=True)
    assert [(error.code, error.field) for error in failed if isinstance(error, InputError)] == [
        ("face_too_small", "avatar")
    ] * 2
    assert len(place.role.prepared) == 1
    place.role.errors.clear()
    assert (await library.ready(default, "c")).faces == 1


async def test_a_face_of_another_engine_is_prepared_anew_and_old_ones_are_erased_in_time(place: Place) -> None:
    now = datetime.now(UTC)
    library = place.library(clock=lambda: now)
    avatar = await library.add(place.owner, "me", still(), "c")
    assert made_by((await library.ready(avatar, "c")).face) == "fake-1"
    place.role.engine = "fake-2"
    ready = await library.ready(avatar, "c")
    assert made_by(ready.face) == "fake-2"
    assert ready.shared.key.endswith("-fake-2")
    assert len(place.keys(f"{avatar.folder}faces")) == 2
    now += FACES_KEPT + timedelta(minutes=1)
    place.role.engine = "fake-3"
    place.objects.put(f"{avatar.folder}faces/kept.npz", b"")
    await library.ready(avatar, "c")
    assert not {"fake-1.npz", "fake-2.npz"} & {key.rsplit("/")[-1] for key in place.keys(f"{avatar.folder}faces")}


async def test_an_engine_that_is_replaced_meanwhile_leaves_no_face_of_another(place: Place) -> None:
    class Replaced(FakeLipsync):
        async def prepare(self, avatar: bytes, kind: AvatarKind, *, correlation_id: str) -> tuple[bytes, str]:
            self.engine = "fake-2"
            return await super().prepare(avatar, kind, correlation_id=correlation_id)

    place.role = Replaced()
    library = place.library()
    default = await library.default()
    with pytest.raises(RoleUnavailable):
        await library.ready(default, "c")
    assert place.keys() == []
    assert made_by((await library.ready(default, "c")).face) == "fake-2"
    place.role.engine = "fake-1"
    with pytest.raises(RoleUnavailable):
        await library.add(place.owner, "me", still(), "c")
    assert not place.keys(avatars_prefix(place.owner))


def _truncated(data: bytes) -> bytes:
    return data[: len(data) // 2]


def _flipped(data: bytes) -> bytes:
    return data[:80] + bytes(byte ^ 0xFF for byte in data[80:400]) + data[400:]


def _of_another_size(data: bytes) -> bytes:
    face = PreparedFace.from_bytes(data)
    return dataclasses.replace(face, boxes=np.array([[0, 0, 20_000, 9]], np.int32)).to_bytes()


def _of_more_frames(data: bytes) -> bytes:
    face = PreparedFace.from_bytes(data)
    return dataclasses.replace(face, boxes=np.tile(face.boxes, (3, 1))).to_bytes()


@pytest.mark.parametrize("damage", [_truncated, _flipped, _of_another_size, _of_more_frames, lambda _data: b""])
async def test_a_damaged_face_is_prepared_anew_and_said_so(place: Place, damage: Callable[[bytes], bytes]) -> None:
    avatar = await place.library().add(place.owner, "me", still(), "c")
    (key,) = place.keys(f"{avatar.folder}faces")
    whole = place.objects.get(key)
    place.objects.put(key, damage(whole))
    with capture_logs() as logs:
        ready = await place.library().ready(avatar, "c")
    assert made_by(ready.face) == "fake-1"
    assert len(place.role.prepared) == 2
    assert [line["avatar"] for line in logs if "damaged" in line["event"]] == [avatar.id]
    assert place.objects.get(key) == ready.shared.reference


async def test_a_face_that_cannot_be_stored_is_used_all_the_same(place: Place) -> None:
    library = place.library()
    avatar = await library.add(place.owner, "me", still(), "c")
    place.role.engine = "fake-2"
    place.objects.fails_at = ".npz"
    with capture_logs() as logs:
        assert made_by((await library.ready(avatar, "c")).face) == "fake-2"
    assert any("not stored" in line["event"] for line in logs)


async def test_avatars_in_memory_are_bounded_in_bytes_and_the_least_recently_used_goes_first(place: Place) -> None:
    loaded: list[bytes] = []

    def share(data: bytes) -> bytes:
        loaded.append(data)
        return data

    roomy = place.library(share=share)
    avatars = [await roomy.add(place.owner, str(n), still(warmth=n / 3), "c") for n in range(3)]
    sizes = [
        len(ready.data) + 2 * len(ready.shared.reference) for ready in [await roomy.ready(a, "c") for a in avatars]
    ]
    assert len(loaded) == 3

    loaded.clear()
    library = place.library(share=share, memory_bytes=sum(sizes) - min(sizes) // 2)
    for n in (0, 1, 0, 2, 0):
        await library.ready(avatars[n], "c")
    assert len(loaded) == 3
    await library.ready(avatars[1], "c")
    assert len(loaded) == 4

    loaded.clear()
    tiny = place.library(share=share, memory_bytes=1)
    assert (await tiny.ready(avatars[0], "c")).faces == 1
    await tiny.ready(avatars[0], "c")
    assert len(loaded) == 2


async def test_objects_without_an_avatar_are_erased_in_time_and_no_others(place: Place) -> None:
    library = place.library()
    kept = await library.add(place.owner, "me", still(), "c")
    await library.ready(await library.default(), "c")
    whole = place.keys()
    orphan = f"{avatars_prefix(place.owner)}{uuid4()}/"
    for name in ("avatar", "picture", "faces/fake-1.npz"):
        place.objects.put(orphan + name, b"x")
    place.objects.put("uploads/1/x", b"x")
    store = Avatars(place.database)
    now = datetime.now(UTC)
    assert await erase_orphans(store, place.objects, older_than=now - ORPHANED_AFTER) == 0
    assert await erase_orphans(store, place.objects, older_than=now + timedelta(minutes=1)) == 3
    assert place.keys() == sorted([*whole, "uploads/1/x"])
    assert kept.folder in " ".join(place.keys())
