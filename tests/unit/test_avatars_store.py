import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest

from storage.avatars import (
    AvatarNameTaken,
    AvatarNotFound,
    Avatars,
    StoredAvatar,
    TooManyAvatars,
    avatar_prefix,
    avatars_prefix,
)
from storage.database import Database
from storage.jobs import OwnerNotFound
from storage.users import Users

pytestmark = [pytest.mark.unit, pytest.mark.anyio]

NOON = datetime(2026, 5, 1, 12, tzinfo=UTC)
HASH = "0f" * 32


async def owner(database: Database, name: str = "Ada") -> int:
    return (await Users(database).create(name)).id


async def keep(avatars: Avatars, owner_id: int, name: str = "me", **changed: Any) -> StoredAvatar:
    avatar_id = uuid4()
    prefix = avatar_prefix(owner_id, avatar_id)
    stored: dict[str, Any] = {
        "avatar_id": avatar_id,
        "kind": "still",
        "width": 640,
        "height": 480,
        "frames": 1,
        "faces": 2,
        "content_hash": HASH,
        "object_key": f"{prefix}avatar",
        "picture_key": f"{prefix}picture",
    }
    return await avatars.create(owner_id, name, **(stored | changed))


async def test_an_avatar_is_found_by_its_id_and_listed(database: Database) -> None:
    avatars = Avatars(database, clock=lambda: NOON)
    ada = await owner(database)
    made = await keep(avatars, ada, " Бабушка ", kind="clip", frames=40)
    keys = (avatar_prefix(ada, made.id) + "avatar", avatar_prefix(ada, made.id) + "picture")
    assert made == StoredAvatar(made.id, "Бабушка", "clip", 640, 480, 40, 2, HASH, *keys, NOON)
    assert await avatars.get(ada, made.id) == made
    assert await avatars.list(ada) == [made]


async def test_avatars_are_listed_in_the_order_in_which_they_were_kept(database: Database) -> None:
    now = NOON
    avatars = Avatars(database, clock=lambda: now)
    ada = await owner(database)
    for name in ("c", "a", "b"):
        await keep(avatars, ada, name)
        now += timedelta(minutes=1)
    assert [avatar.name for avatar in await avatars.list(ada)] == ["c", "a", "b"]


async def test_another_owners_avatar_does_not_exist(database: Database) -> None:
    avatars = Avatars(database)
    ada, eve = await owner(database), await owner(database, "Eve")
    made = await keep(avatars, ada)
    for attempt in (avatars.get(eve, made.id), avatars.delete(eve, made.id)):
        with pytest.raises(AvatarNotFound):
            await attempt
    assert await avatars.list(eve) == []
    assert (await keep(avatars, eve, made.name)).id != made.id
    assert await avatars.get(ada, made.id) == made


async def test_a_name_is_taken_once_per_owner_however_it_is_spelt(database: Database) -> None:
    avatars = Avatars(database)
    ada = await owner(database)
    await keep(avatars, ada, "Zo\u00e9")
    with pytest.raises(AvatarNameTaken):
        await avatars.check_room(ada, "Zoe\u0301")
    with pytest.raises(AvatarNameTaken):
        await keep(avatars, ada, "Zoe\u0301")


@pytest.mark.parametrize("name", ["", " ", "x" * 101, "a\x00b", "a\nb", "\ud800"])
async def test_a_name_that_cannot_be_shown_is_refused(database: Database, name: str) -> None:
    avatars = Avatars(database)
    ada = await owner(database)
    with pytest.raises(ValueError, match="name"):
        await avatars.check_room(ada, name)
    with pytest.raises(ValueError, match="name"):
        await keep(avatars, ada, name)


async def test_avatars_are_bounded_also_when_kept_at_once(database: Database) -> None:
    avatars = Avatars(database)
    ada = await owner(database)
    made = await asyncio.gather(
        *(keep(avatars, ada, f"avatar {n}", max_avatars=2) for n in range(5)), return_exceptions=True
    )
    assert sorted(type(result).__name__ for result in made) == ["StoredAvatar"] * 2 + ["TooManyAvatars"] * 3
    assert len(await avatars.list(ada)) == 2
    with pytest.raises(TooManyAvatars):
        await avatars.check_room(ada, "another", max_avatars=2)
    await avatars.check_room(ada, "another", max_avatars=3)


@pytest.mark.parametrize(
    "changed",
    [
        {"object_key": "uploads/1/x"},
        {"picture_key": "avatars/999999/x"},
        {"width": 0},
        {"faces": 0},
        {"frames": 2},
        {"content_hash": "0F" * 32},
    ],
)
async def test_what_is_no_avatar_is_refused(database: Database, changed: dict[str, Any]) -> None:
    avatars = Avatars(database)
    ada = await owner(database)
    with pytest.raises(ValueError, match=r"avatar|content hash"):
        await keep(avatars, ada, **changed)
    assert await avatars.list(ada) == []


async def test_deleting_an_avatar_names_the_folder_of_its_objects(database: Database) -> None:
    avatars = Avatars(database)
    ada = await owner(database)
    made, other = await keep(avatars, ada), await keep(avatars, ada, "other")
    assert await avatars.delete(ada, made.id) == avatar_prefix(ada, made.id)
    for attempt in (avatars.get(ada, made.id), avatars.delete(ada, made.id)):
        with pytest.raises(AvatarNotFound):
            await attempt
    assert await avatars.existing([made.id, other.id, uuid4()]) == {other.id}


async def test_deleting_a_user_deletes_the_avatars_and_names_their_folder(database: Database) -> None:
    avatars = Avatars(database)
    ada, eve = await owner(database), await owner(database, "Eve")
    gone, kept = await keep(avatars, ada), await keep(avatars, eve)
    objects = await Users(database).delete(ada)
    assert avatars_prefix(ada) in (objects or [])
    assert gone.object_key.startswith(avatars_prefix(ada))
    assert await avatars.list(ada) == []
    assert await avatars.list(eve) == [kept]
    with pytest.raises(OwnerNotFound):
        await keep(avatars, ada)
