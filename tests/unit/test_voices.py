import asyncio
import math
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest

from storage.database import Database
from storage.jobs import OwnerNotFound
from storage.users import Users
from storage.voices import (
    RegisteredVoice,
    TooManyVoices,
    VoiceNameTaken,
    VoiceNotFound,
    Voices,
    new_voice_key,
    voices_prefix,
)

pytestmark = [pytest.mark.unit, pytest.mark.anyio]

NOON = datetime(2026, 5, 1, 12, tzinfo=UTC)


async def owner(database: Database, name: str = "Ada") -> int:
    return (await Users(database).create(name)).id


async def register(voices: Voices, owner_id: int, name: str = "mine") -> RegisteredVoice:
    return await voices.create(owner_id, name, reference_key=new_voice_key(owner_id), seconds=4.5)


async def test_a_registered_voice_is_found_by_id_and_by_name_and_listed(database: Database) -> None:
    voices = Voices(database, clock=lambda: NOON)
    ada = await owner(database)
    key = new_voice_key(ada)
    embeddings = {"compact": (0.5, -0.25), "xvector": (1.0,)}
    made = await voices.create(ada, " Бабушка ", reference_key=key, seconds=4.5, language="ru", embeddings=embeddings)
    assert made == RegisteredVoice(made.id, "Бабушка", "ru", 4.5, key, embeddings, NOON, NOON)
    assert await voices.get(ada, made.id) == made
    assert await voices.named(ada, "Бабушка ") == made
    second = await register(voices, ada)
    assert {voice.id for voice in await voices.list(ada)} == {made.id, second.id}


async def test_voices_are_listed_in_the_order_of_their_registration(database: Database) -> None:
    ada = await owner(database)
    now = NOON
    voices = Voices(database, clock=lambda: now)
    for name in ("c", "a", "b"):
        await register(voices, ada, name)
        now += timedelta(minutes=1)
    assert [voice.name for voice in await voices.list(ada)] == ["c", "a", "b"]


async def test_another_owners_voice_does_not_exist(database: Database) -> None:
    voices = Voices(database)
    ada, eve = await owner(database), await owner(database, "Eve")
    made = await register(voices, ada)
    for attempt in (
        voices.get(eve, made.id),
        voices.named(eve, made.name),
        voices.delete(eve, made.id),
        voices.add_embedding(eve, made.id, "compact", [1.0]),
    ):
        with pytest.raises(VoiceNotFound):
            await attempt
    assert await voices.list(eve) == []
    assert (await register(voices, eve, made.name)).id != made.id
    assert await voices.get(ada, made.id) == made


@pytest.mark.parametrize("name", ["", "nobody", "a\x00b", "\ud800", "x" * 101])
async def test_a_name_that_nobody_has_is_not_found(database: Database, name: str) -> None:
    with pytest.raises(VoiceNotFound):
        await Voices(database).named(await owner(database), name)


async def test_a_name_is_taken_once_per_owner_however_it_is_spelt(database: Database) -> None:
    voices = Voices(database)
    ada = await owner(database)
    await register(voices, ada, "Zo\u00e9")
    with pytest.raises(VoiceNameTaken):
        await register(voices, ada, "Zoe\u0301")


async def test_voices_are_bounded_also_when_registered_at_once(database: Database) -> None:
    voices = Voices(database)
    ada = await owner(database)
    made = await asyncio.gather(
        *(
            voices.create(ada, f"voice {n}", reference_key=new_voice_key(ada), seconds=1, max_voices=2)
            for n in range(5)
        ),
        return_exceptions=True,
    )
    assert sorted(type(result).__name__ for result in made) == ["RegisteredVoice"] * 2 + ["TooManyVoices"] * 3
    assert len(await voices.list(ada)) == 2


async def test_putting_a_voice_replaces_the_one_of_that_name_and_names_its_object(database: Database) -> None:
    voices = Voices(database)
    ada = await owner(database)
    first, none_replaced = await voices.put(ada, "mine", reference_key=new_voice_key(ada), seconds=1, max_voices=1)
    second, replaced = await voices.put(ada, "mine", reference_key=new_voice_key(ada), seconds=2, max_voices=1)
    assert none_replaced == []
    assert replaced == [first.reference_key]
    assert await voices.list(ada) == [second]
    with pytest.raises(TooManyVoices):
        await voices.put(ada, "another", reference_key=new_voice_key(ada), seconds=2, max_voices=1)


async def test_an_embedding_is_added_or_replaced_and_the_others_stay(database: Database) -> None:
    now = NOON
    voices = Voices(database, clock=lambda: now)
    ada = await owner(database)
    made = await voices.create(
        ada, "mine", reference_key=new_voice_key(ada), seconds=1, embeddings={"compact": [1.0], "xvector": [2.0]}
    )
    now = NOON + timedelta(hours=1)
    changed = await voices.add_embedding(ada, made.id, "xvector", [3.0, 4.0])
    assert changed.embeddings == {"compact": (1.0,), "xvector": (3.0, 4.0)}
    assert (changed.created_at, changed.updated_at) == (NOON, now)
    assert await voices.get(ada, made.id) == changed


@pytest.mark.parametrize(
    ("encoder", "embedding"),
    [("", [1.0]), ("x" * 101, [1.0]), ("a\x00", [1.0]), ("a", []), ("a", [0.0] * 8193), ("a", [math.nan])],
)
async def test_an_embedding_that_cannot_be_kept_is_refused(
    database: Database, encoder: str, embedding: list[float]
) -> None:
    with pytest.raises(ValueError, match=r"encoder|embedding"):
        await Voices(database).add_embedding(await owner(database), uuid4(), encoder, embedding)


@pytest.mark.parametrize("seconds", [0.0, -1.0, math.nan, math.inf])
async def test_a_voice_without_reference_speech_is_refused(database: Database, seconds: float) -> None:
    ada = await owner(database)
    with pytest.raises(ValueError, match="reference speech"):
        await Voices(database).create(ada, "mine", reference_key=new_voice_key(ada), seconds=seconds)


async def test_a_voice_takes_no_object_of_somebody_else(database: Database) -> None:
    ada = await owner(database)
    with pytest.raises(ValueError, match="below"):
        await Voices(database).create(ada, "mine", reference_key=new_voice_key(ada + 1), seconds=1)


async def test_deleting_a_voice_names_its_object(database: Database) -> None:
    voices = Voices(database)
    ada = await owner(database)
    made = await register(voices, ada)
    assert await voices.delete(ada, made.id) == [made.reference_key]
    with pytest.raises(VoiceNotFound):
        await voices.get(ada, made.id)
    with pytest.raises(VoiceNotFound):
        await voices.delete(ada, made.id)


async def test_deleting_a_user_deletes_the_voices_and_names_the_folder_of_their_objects(database: Database) -> None:
    voices = Voices(database)
    ada, eve = await owner(database), await owner(database, "Eve")
    gone, kept = await register(voices, ada), await register(voices, eve)
    objects = await Users(database).delete(ada)
    assert voices_prefix(ada) in (objects or [])
    assert gone.reference_key.startswith(voices_prefix(ada))
    assert await voices.list(ada) == []
    assert await voices.list(eve) == [kept]
    with pytest.raises(OwnerNotFound):
        await register(voices, ada)
