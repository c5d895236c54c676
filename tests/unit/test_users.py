import psycopg
import pytest

from storage.avatars import avatars_prefix
from storage.database import Database
from storage.jobs import JobNotFound, JobStore, OwnerNotFound, object_prefix
from storage.users import Users
from storage.voices import voices_prefix

pytestmark = [pytest.mark.unit, pytest.mark.anyio]

BOOTSTRAP_KEY = "vg_a-key-made-by-the-launcher"


async def test_a_new_users_key_authenticates_that_user(database: Database) -> None:
    users = Users(database)
    new = await users.create("Ada")
    user = await users.authenticate(new.api_key)
    assert user is not None
    assert (user.id, user.name) == (new.id, "Ada")
    assert new.api_key.startswith(user.key_prefix)
    assert len(user.key_prefix) < len(new.api_key) / 2


async def test_the_plain_key_is_nowhere_in_the_database(database: Database) -> None:
    new = await Users(database).create("Ada")
    async with database.connection() as connection:
        cursor = await connection.execute("SELECT users::text || api_keys::text AS row FROM users, api_keys")
        rows = await cursor.fetchall()
    assert len(rows) == 1
    assert new.api_key not in rows[0]["row"]


@pytest.mark.parametrize("key", ["", "vg_unknown", "\x00", "\ud800"])
async def test_an_unknown_key_authenticates_nobody(database: Database, key: str) -> None:
    users = Users(database)
    await users.create("Ada")
    assert await users.authenticate(key) is None


async def test_users_are_listed_in_order_of_creation(database: Database) -> None:
    users = Users(database)
    made = [await users.create(name) for name in ("Ada", "Ада", "Ada")]
    listed = await users.list()
    assert [user.id for user in listed] == [new.id for new in made]
    assert [user.name for user in listed] == ["Ada", "Ада", "Ada"]
    assert all(new.api_key.startswith(user.key_prefix) for user, new in zip(listed, made, strict=True))


@pytest.mark.parametrize("name", ["", "   ", "x" * 101, "a\nb", "a\x00b", "a\u202eb", "a\ud800"])
async def test_a_bad_name_is_refused(database: Database, name: str) -> None:
    with pytest.raises(ValueError, match="name"):
        await Users(database).create(name)


async def test_deleting_a_user_removes_keys_and_jobs_and_names_their_objects(database: Database) -> None:
    users, jobs = Users(database), JobStore(database)
    ada, eve = await users.create("Ada"), await users.create("Eve")
    job, _ = await jobs.submit(owner_id=ada.id, kind="demo", params={}, input_key="uploads/1", correlation_id="c")
    kept, _ = await jobs.submit(owner_id=eve.id, kind="demo", params={}, input_key="uploads/2", correlation_id="c")

    assert sorted(await users.delete(ada.id) or []) == sorted(
        ["uploads/1", object_prefix(job.id), voices_prefix(ada.id), avatars_prefix(ada.id)]
    )

    assert await users.authenticate(ada.api_key) is None
    with pytest.raises(JobNotFound):
        await jobs.get(job.id, ada.id)
    with pytest.raises(OwnerNotFound):
        await jobs.submit(owner_id=ada.id, kind="demo", params={}, correlation_id="c")
    assert await jobs.get(kept.id, eve.id) == kept
    assert await users.delete(ada.id) is None


async def test_a_deleted_users_key_dies_in_another_process_when_its_cache_expires(database: Database) -> None:
    now = 0.0
    here, elsewhere = Users(database), Users(database, monotonic=lambda: now, cache_seconds=3.0)
    new = await here.create("Ada")
    assert await elsewhere.authenticate(new.api_key) is not None
    await here.delete(new.id)
    now = 3.0
    assert await elsewhere.authenticate(new.api_key) is None


async def test_an_accepted_key_is_not_looked_up_again_while_cached(database: Database) -> None:
    now = 0.0
    users = Users(database, monotonic=lambda: now, cache_seconds=3.0)
    new = await users.create("Ada")
    user = await users.authenticate(new.api_key)
    async with database.connection() as connection:
        await connection.execute("ALTER TABLE api_keys RENAME TO out_of_reach")
    now = 2.9
    assert await users.authenticate(new.api_key) == user
    now = 3.0
    with pytest.raises(psycopg.errors.UndefinedTable):
        await users.authenticate(new.api_key)


async def test_bootstrapping_a_key_twice_makes_one_user(database: Database) -> None:
    first = await Users(database).ensure_bootstrap("local", BOOTSTRAP_KEY)
    second = await Users(database).ensure_bootstrap("local", BOOTSTRAP_KEY)
    assert first == second
    assert [user.id for user in await Users(database).list()] == [first.id]
    assert await Users(database).authenticate(BOOTSTRAP_KEY) == first


async def test_bootstrapping_a_deleted_users_key_makes_it_valid_again(database: Database) -> None:
    users = Users(database)
    first = await users.ensure_bootstrap("local", BOOTSTRAP_KEY)
    await users.delete(first.id)
    again = await users.ensure_bootstrap("local", BOOTSTRAP_KEY)
    assert again.id != first.id
    assert await users.authenticate(BOOTSTRAP_KEY) == again


async def test_a_short_bootstrap_key_is_refused(database: Database) -> None:
    with pytest.raises(ValueError, match="16 characters"):
        await Users(database).ensure_bootstrap("local", "short")
