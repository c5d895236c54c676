"""Erases the objects of avatars that nobody has any more: uploads and deletions that a crash ended half-way."""

import asyncio
from collections.abc import Iterator
from datetime import datetime, timedelta
from itertools import groupby, islice
from uuid import UUID

from storage.avatars import AVATARS, Avatars
from storage.objects import ObjectInfo, ObjectStore

ORPHANED_AFTER = timedelta(days=1)
"""An upload writes its objects seconds before its row: objects so old without one belong to none under way."""

_FOLDERS_AT_ONCE = 500


async def erase_orphans(store: Avatars, objects: ObjectStore, *, older_than: datetime) -> int:
    """Erase the objects of avatars that are not in the store any more, but those written since a time.

    Returns:
        How many objects were erased.
    """
    erased = 0
    folders = _folders(objects)
    while batch := await asyncio.to_thread(lambda: list(islice(folders, _FOLDERS_AT_ONCE))):
        existing = await store.existing([avatar for _folder, avatar, _modified in batch])
        for folder, avatar, modified in batch:
            if avatar not in existing and modified < older_than:
                erased += await asyncio.to_thread(objects.delete_prefix, folder)
    return erased


def _folders(objects: ObjectStore) -> Iterator[tuple[str, UUID, datetime]]:
    """Yield the folder of each avatar, with the avatar's id and the time of the last write to it."""
    for folder, of_one in groupby(objects.list(AVATARS), _folder):
        modified = max(info.modified for info in of_one)
        yield folder, UUID(folder.split("/")[-2]), modified


def _folder(info: ObjectInfo) -> str:
    root, owner, avatar, *_rest = info.key.split("/")
    return f"{root}/{owner}/{avatar}/"
