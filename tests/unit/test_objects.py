"""Every behaviour of an object store, over S3 (moto behind real HTTP) and over a directory."""

import hashlib
import io
import os
import random
import shutil
import socket
import stat
import subprocess
import sys
import threading
import urllib.error
import urllib.request
import wave
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, quote, unquote, urlsplit

import pytest
from botocore.awsrequest import AWSPreparedRequest
from pydantic import TypeAdapter, ValidationError

from storage.objects import (
    DirectorySettings,
    Expired,
    InvalidKey,
    InvalidSignature,
    ObjectChanged,
    ObjectNotFound,
    ObjectsSettings,
    ObjectStore,
    ObjectTooLarge,
    S3Settings,
    StorageUnavailable,
    build,
    content_disposition,
)
from storage.objects.directory import DirectoryObjectStore
from storage.objects.s3 import S3ObjectStore

pytestmark = pytest.mark.unit

MIB = 1024 * 1024
HOUR = timedelta(hours=1)
bucket_numbers = count()


def noise(size: int, seed: int = 0) -> bytes:
    return random.Random(seed).randbytes(size)


@pytest.fixture(scope="module")
def clients() -> dict[Any, Any]:
    """The S3 clients of all tests' stores, each with a bucket of its own: making one takes longer than most tests."""
    return {}


@pytest.fixture
def s3(s3_endpoint: str, clients: dict[Any, Any]) -> S3ObjectStore:
    store = S3ObjectStore(
        S3Settings(bucket=f"objects-{next(bucket_numbers)}", endpoint_url=s3_endpoint, prefix="voice/graph")
    )
    store._clients = clients
    store.ensure()
    return store


@pytest.fixture
def directory(tmp_path: Path) -> DirectoryObjectStore:
    store = DirectoryObjectStore(DirectorySettings(path=tmp_path / "objects", public_url="https://voice.example"))
    store.ensure()
    return store


@pytest.fixture(params=["s3", "directory"])
def store(request: pytest.FixtureRequest) -> ObjectStore:
    found: ObjectStore = request.getfixturevalue(request.param)
    return found


def leftovers(store: ObjectStore) -> list[str]:
    """What lies in the store without need: unfinished uploads, temporary files, widowed sidecars, folders."""
    if isinstance(store, S3ObjectStore):
        answer = store.client.list_multipart_uploads(Bucket=store._bucket)
        return [upload["Key"] for upload in answer.get("Uploads", [])]
    assert isinstance(store, DirectoryObjectStore)
    root = store._tree.root
    objects = {root / info.key for info in store.list()}
    known = objects | {folder for path in objects for folder in path.parents}
    known |= {path.with_name(f".{path.name}.json") for path in objects}
    return [
        str(path.relative_to(root))
        for path in root.rglob("*")
        if path not in known and path.name not in (".lock", ".secret")
    ]


def requests_of(store: S3ObjectStore, operation: str) -> list[str]:
    """The ranges of the requests that the store sends from now on."""
    seen: list[str] = []

    def note(request: AWSPreparedRequest, **_: object) -> None:
        seen.append(bytes(request.headers.get("Range", b"")).decode())

    store.client.meta.events.register(f"before-send.s3.{operation}", note)
    return seen


@contextmanager
def pages_of(keys: int, store: ObjectStore) -> Iterator[None]:
    """Have the server list, and the store delete, no more than so many keys at a time, as they do with 1000."""
    if not isinstance(store, S3ObjectStore):
        yield
        return

    def listing(params: dict[str, Any], **_: object) -> None:
        params["MaxKeys"] = keys

    def deleting(params: dict[str, Any], **_: object) -> None:
        assert len(params["Delete"]["Objects"]) <= keys

    events = store.client.meta.events
    handlers = {"ListObjectsV2": listing, "DeleteObjects": deleting}
    for operation, handler in handlers.items():
        events.register(f"provide-client-params.s3.{operation}", handler)
    yield
    for operation, handler in handlers.items():
        events.unregister(f"provide-client-params.s3.{operation}", handler)


@pytest.mark.slow
class TestBothStores:
    def test_what_is_put_is_read_back_with_its_description(self, store: ObjectStore) -> None:
        before = datetime.now(UTC) - timedelta(seconds=2)
        written = store.put("jobs/12/talk.wav", b"RIFF....", content_type="audio/wav")
        assert store.get("jobs/12/talk.wav") == b"RIFF...."
        found = store.head("jobs/12/talk.wav")
        assert (found.key, found.size, found.content_type) == ("jobs/12/talk.wav", 8, "audio/wav")
        assert found.etag == written.etag
        assert before < found.modified <= datetime.now(UTC) + timedelta(seconds=2)
        assert before < written.modified <= datetime.now(UTC) + timedelta(seconds=2)

    def test_an_object_without_a_content_type_has_none(self, store: ObjectStore) -> None:
        store.put("a", b"1", content_type="audio/wav")
        store.put("a", b"2")
        assert store.head("a").content_type is None

    def test_an_empty_object_is_an_object(self, store: ObjectStore) -> None:
        assert store.put("empty", b"").size == 0
        assert store.get("empty") == b""
        assert list(store.iterate("empty")) == []
        with store.open("empty") as file:
            assert file.read() == b""

    def test_replacing_an_object_changes_its_etag(self, store: ObjectStore) -> None:
        first = store.put("a", b"one")
        assert store.put("a", b"two").etag != first.etag
        assert store.get("a") == b"two"

    def test_twenty_mebibytes_go_through_a_writer_in_odd_pieces(self, store: ObjectStore) -> None:
        data = noise(20 * MIB + 17)
        with store.writer("big.bin", content_type="application/x-noise") as writer:
            for start in range(0, len(data), 777_777):
                writer.write(data[start : start + 777_777])
        info = writer.commit()
        assert info.size == writer.size == len(data)
        found = store.head("big.bin")
        assert (found.size, found.etag, found.content_type) == (info.size, info.etag, "application/x-noise")
        assert store.get("big.bin") == data
        assert hashlib.sha256(b"".join(store.iterate("big.bin"))).digest() == hashlib.sha256(data).digest()
        assert leftovers(store) == []

    @pytest.mark.parametrize("size", [8 * MIB, 16 * MIB, 8 * MIB + 1])
    def test_one_write_of_whole_parts_is_read_back(self, store: ObjectStore, size: int) -> None:
        data = noise(size)
        store.put("whole", data)
        assert store.get("whole") == data

    def test_an_object_is_invisible_until_its_writer_ends(self, store: ObjectStore) -> None:
        with store.writer("slow") as writer:
            writer.write(b"x" * (9 * MIB))
            with pytest.raises(ObjectNotFound):
                store.head("slow")
            assert list(store.list()) == []
        assert store.head("slow").size == 9 * MIB

    @pytest.mark.parametrize("size", [10, 20 * MIB])
    def test_an_exception_in_the_block_leaves_nothing_behind(self, store: ObjectStore, size: int) -> None:
        with pytest.raises(RuntimeError, match="client gone"), store.writer("deep/er/lost") as writer:
            writer.write(b"x" * size)
            raise RuntimeError("client gone")
        with pytest.raises(ObjectNotFound):
            store.get("deep/er/lost")
        assert list(store.list()) == []
        assert leftovers(store) == []

    def test_an_aborted_writer_keeps_the_object_that_was_there(self, store: ObjectStore) -> None:
        store.put("deep/a", b"old", content_type="text/plain")
        writer = store.writer("deep/a", content_type="text/html")
        writer.write(b"new")
        writer.abort()
        writer.abort()
        assert store.get("deep/a") == b"old"
        assert store.head("deep/a").content_type == "text/plain"

    def test_a_finished_writer_takes_nothing_more(self, store: ObjectStore) -> None:
        with store.writer("a") as writer:
            writer.write(b"1")
            writer.commit()
        with pytest.raises(ValueError, match="already"):
            writer.write(b"2")
        aborted = store.writer("b")
        aborted.abort()
        with pytest.raises(ValueError, match="already"):
            aborted.commit()

    @pytest.mark.parametrize("limit", [10, 17 * MIB])
    def test_exceeding_the_limit_is_refused_and_leaves_nothing(self, store: ObjectStore, limit: int) -> None:
        with pytest.raises(ObjectTooLarge) as refused, store.writer("a/large", limit=limit) as writer:
            for _ in range(5):
                writer.write(b"x" * (limit // 4 + 1))
        assert refused.value.limit == limit
        assert list(store.list()) == []
        assert leftovers(store) == []

    def test_an_object_of_exactly_the_limit_is_taken(self, store: ObjectStore) -> None:
        with store.writer("a", limit=10) as writer:
            writer.write(b"0123456789")
        assert store.get("a", limit=10) == b"0123456789"

    def test_get_refuses_an_object_over_its_limit(self, store: ObjectStore) -> None:
        store.put("a", b"0123456789")
        with pytest.raises(ObjectTooLarge) as refused:
            store.get("a", limit=9)
        assert refused.value.limit == 9

    def test_a_missing_object_is_not_found_by_any_way_of_reading(self, store: ObjectStore) -> None:
        store.put("folder/a", b"1")
        reads: list[Callable[[str], object]] = [store.get, store.head, store.open, store.iterate]
        for read in reads:
            for key in ("nothing", "folder", "folder/b", "no/folder"):
                with pytest.raises(ObjectNotFound) as missing:
                    read(key)
                assert (missing.value.key, missing.value.code) == (key, "NoSuchKey")

    def test_an_open_object_reads_like_a_file_at_any_position(self, store: ObjectStore) -> None:
        data = noise(9 * MIB + 321)
        store.put("a", data)
        same = io.BytesIO(data)
        moves = random.Random(7)
        with store.open("a") as file:
            assert file.readable() and file.seekable() and not file.writable()
            for _ in range(150):
                match moves.randrange(4):
                    case 0:
                        step = (moves.randrange(len(data) + 99), os.SEEK_SET)
                    case 1:
                        step = (-moves.randrange(2 * MIB), os.SEEK_END)
                    case 2:
                        step = (moves.randrange(100_000), os.SEEK_CUR)
                    case _:
                        step = (0, os.SEEK_CUR)
                assert file.seek(*step) == same.seek(*step)
                length = moves.choice([1, 100, 70_000, 3 * MIB])
                assert file.read(length) == same.read(length)
                assert file.tell() == same.tell()
            file.seek(-5, os.SEEK_END)
            assert file.read() == data[-5:]
            file.seek(0)
            assert file.read() == data
            with pytest.raises((ValueError, OSError)):
                file.seek(-1)

    def test_a_library_that_expects_a_file_reads_an_open_object(self, store: ObjectStore) -> None:
        made = io.BytesIO()
        with wave.open(made, "wb") as sound:
            sound.setparams((1, 2, 16000, 0, "NONE", ""))
            sound.writeframes(noise(32000))
        store.put("talk.wav", made.getvalue())
        with store.open("talk.wav") as file, wave.open(file) as sound:
            assert (sound.getframerate(), sound.getnframes()) == (16000, 16000)
            assert sound.readframes(16000) == noise(32000)

    @pytest.mark.parametrize(
        ("start", "end"),
        [(0, None), (5, None), (0, 1), (3, 3), (7, 2_500_000), (2_999_999, None), (9**9, None)],
    )
    def test_a_range_is_read_in_chunks(self, store: ObjectStore, start: int, end: int | None) -> None:
        data = noise(3_000_000)
        store.put("a", data)
        pieces = list(store.iterate("a", start, end, chunk=400_000))
        assert b"".join(pieces) == data[start:end]
        assert all(len(piece) == 400_000 for piece in pieces[:-1])

    @pytest.mark.parametrize(("start", "end", "chunk"), [(-1, None, 1), (5, 4, 1), (0, None, 0)])
    def test_a_senseless_range_is_refused(self, store: ObjectStore, start: int, end: int | None, chunk: int) -> None:
        store.put("a", b"0123456789")
        with pytest.raises(ValueError, match="range"):
            store.iterate("a", start, end, chunk)

    def test_deleting_twice_is_as_good_as_once(self, store: ObjectStore) -> None:
        store.put("folder/a", b"1", content_type="text/plain")
        store.delete("folder/a")
        store.delete("folder/a")
        store.delete("never/was")
        with pytest.raises(ObjectNotFound):
            store.get("folder/a")
        assert leftovers(store) == []

    def test_listing_is_by_folder_and_in_the_order_of_keys(self, store: ObjectStore) -> None:
        keys = ["a", "jobs/12/x", "jobs/12/y/z", "jobs/12-b/x", "jobs/123/x", "jobs.d/x", "z/я.wav"]
        for key in reversed(keys):
            store.put(key, key.encode(), content_type="text/plain")
        assert [info.key for info in store.list()] == sorted(keys)
        for prefix in ("jobs/12", "jobs/12/"):
            assert [info.key for info in store.list(prefix)] == ["jobs/12/x", "jobs/12/y/z"]
        assert list(store.list("jobs/1")) == []
        assert list(store.list("a")) == []
        listed = next(store.list("jobs/12"))
        head = store.head("jobs/12/x")
        assert (listed.size, listed.etag, listed.content_type) == (9, head.etag, None)

    def test_deleting_a_folder_spares_its_neighbours(self, store: ObjectStore) -> None:
        for key in ("jobs/1/a", "jobs/1/b/c", "jobs/12/a", "jobs/1x"):
            store.put(key, b"1", content_type="text/plain")
        assert store.delete_prefix("jobs/1") == 2
        assert store.delete_prefix("jobs/1") == 0
        assert [info.key for info in store.list()] == ["jobs/12/a", "jobs/1x"]

    def test_deleting_everything_by_an_empty_prefix_is_refused(self, store: ObjectStore) -> None:
        store.put("a", b"1")
        with pytest.raises(InvalidKey):
            store.delete_prefix("")
        assert store.get("a") == b"1"

    def test_a_folder_of_more_than_one_page_is_listed_and_deleted_whole(self, store: ObjectStore) -> None:
        for number in range(23):
            store.put(f"many/{number:04}", b"1")
        with pages_of(10, store):
            assert [info.key for info in store.list("many")] == [f"many/{number:04}" for number in range(23)]
            assert store.delete_prefix("many") == 23
        assert list(store.list()) == []

    def test_expiry_deletes_only_what_is_older_and_in_the_folder(self, store: ObjectStore) -> None:
        store.put("temporary/a", b"1", content_type="text/plain")
        store.put("temporary/b/c", b"1")
        store.put("kept/a", b"1", content_type="text/plain")
        assert store.expire("temporary", older_than=datetime.now(UTC) - HOUR) == 0
        assert len(list(store.list("temporary"))) == 2
        assert store.expire("temporary", older_than=datetime.now(UTC) + HOUR) == 2
        assert [info.key for info in store.list()] == ["kept/a"]
        assert store.expire("", older_than=datetime.now(UTC) + HOUR) == 1
        assert list(store.list()) == []

    def test_expiry_keeps_what_it_is_told_to(self, store: ObjectStore) -> None:
        for key in ("uploads/a", "uploads/b", "uploads/1/a"):
            store.put(key, b"1")
        assert store.expire("uploads", older_than=datetime.now(UTC) + HOUR, keep={"uploads/b", "a"}) == 2
        assert [info.key for info in store.list()] == ["uploads/b"]

    def test_expiry_drops_unfinished_uploads_that_are_older(self, store: ObjectStore) -> None:
        abandoned = store.writer("uploads/a")
        other = store.writer("elsewhere/b")
        for writer in (abandoned, other):
            writer.write(b"x" * (9 * MIB))
        # This S3 server says of every upload that it was begun in 2010.
        assert store.expire("uploads", older_than=datetime(2000, 1, 1, tzinfo=UTC)) == 0
        assert any("uploads" in name for name in leftovers(store))
        assert store.expire("uploads", older_than=datetime.now(UTC) + HOUR) == 0
        assert not any("uploads" in name for name in leftovers(store))
        with pytest.raises(StorageUnavailable):
            abandoned.commit()
        other.commit()
        assert [info.key for info in store.list()] == ["elsewhere/b"]

    @pytest.mark.parametrize(
        "key",
        [
            "",
            "/",
            "/etc/passwd",
            "a/",
            "a//b",
            ".",
            "..",
            "../a",
            "a/../b",
            "a/./b",
            ".hidden",
            "a/.b.json",
            "a\\b",
            "a\0b",
            "a b",
            "a\nb",
            "a:b",
            "a*",
            "a?b",
            "a%2e",
            "~root",
            "\ud800",
            "\u202egpj",
            "x" * 201,
            "я" * 101,
            "/".join(["x" * 99] * 6),
        ],
    )
    def test_a_bad_key_is_refused_by_every_method(self, store: ObjectStore, key: str) -> None:
        calls: list[Callable[[], object]] = [
            lambda: store.put(key, b"1"),
            lambda: store.writer(key),
            lambda: store.get(key),
            lambda: store.open(key),
            lambda: store.iterate(key),
            lambda: store.head(key),
            lambda: store.delete(key),
            lambda: store.presign_get(key, expires=HOUR),
            lambda: store.presign_put(key, expires=HOUR),
        ]
        for call in calls:
            with pytest.raises(InvalidKey):
                call()
        assert list(store.list()) == []

    @pytest.mark.parametrize("prefix", ["/", "..", "a//", "a/../", ".git"])
    def test_a_bad_prefix_is_refused(self, store: ObjectStore, prefix: str) -> None:
        calls: list[Callable[[], object]] = [
            lambda: store.list(prefix),
            lambda: store.delete_prefix(prefix),
            lambda: store.expire(prefix, older_than=datetime.now(UTC)),
        ]
        for call in calls:
            with pytest.raises(InvalidKey):
                call()

    @pytest.mark.parametrize(
        "key", ["a", "A-b_c=d@e+f,g(h)", "a..b/c.", "7/1700000000/запись.wav", "/".join(["x" * 127] * 4)]
    )
    def test_a_good_key_of_any_kind_is_kept_as_it_is(self, store: ObjectStore, key: str) -> None:
        store.put(key, b"1")
        assert store.get(key) == b"1"
        assert [info.key for info in store.list()] == [key]

    @pytest.mark.parametrize("size", [100_000, 9 * MIB])
    def test_writers_on_one_key_at_the_same_time_leave_one_whole_object(self, store: ObjectStore, size: int) -> None:
        start = threading.Barrier(4)

        def write(number: int) -> None:
            start.wait()
            with store.writer("jobs/same", content_type=f"text/x-{number}") as writer:
                for _ in range(4):
                    writer.write(bytes([number]) * (size // 4))

        with ThreadPoolExecutor(4) as pool:
            list(pool.map(write, range(4)))
        data = store.get("jobs/same")
        assert len(data) == size and len(set(data)) == 1
        assert store.head("jobs/same").content_type == f"text/x-{data[0]}"
        assert [info.key for info in store.list()] == ["jobs/same"]

    def test_writers_and_deleters_in_one_folder_do_not_trip_over_each_other(self, store: ObjectStore) -> None:
        # A bucket has no folders that come and go.
        turns = 15 if isinstance(store, DirectoryObjectStore) else 4

        def work(number: int) -> None:
            for turn in range(turns):
                store.put(f"a/b/{number}", f"{number} {turn}".encode(), content_type="text/plain")
                assert store.get(f"a/b/{number}") == f"{number} {turn}".encode()
                store.delete(f"a/b/{number}")

        with ThreadPoolExecutor(6) as pool:
            list(pool.map(work, range(6)))
        assert list(store.list()) == []
        assert leftovers(store) == []

    def test_a_working_store_passes_its_check_and_ensuring_again_changes_nothing(self, store: ObjectStore) -> None:
        store.put("a", b"1")
        store.ensure()
        store.check()
        assert store.get("a") == b"1"

    @pytest.mark.parametrize("expires", [timedelta(0), timedelta(milliseconds=900), timedelta(days=7, seconds=1)])
    def test_a_presigned_url_lives_a_second_to_a_week(self, store: ObjectStore, expires: timedelta) -> None:
        with pytest.raises(ValueError, match="7 days"):
            store.presign_get("a", expires=expires)
        with pytest.raises(ValueError, match="7 days"):
            store.presign_put("a", expires=expires)


class TestS3:
    def test_a_small_object_is_one_request_and_a_large_one_parts_of_eight_mebibytes(self, s3: S3ObjectStore) -> None:
        puts, parts = requests_of(s3, "PutObject"), requests_of(s3, "UploadPart")
        s3.put("small", b"x" * (8 * MIB))
        assert (len(puts), len(parts)) == (1, 0)
        s3.put("large", b"x" * (20 * MIB))
        assert (len(puts), len(parts)) == (1, 3)

    def test_keys_lie_under_the_prefix_and_foreign_objects_are_not_seen(self, s3: S3ObjectStore) -> None:
        s3.put("a", b"1")
        for foreign in ("elsewhere/a", "voice/graph/odd key", "voice/graph/folder/", "voice/graphics"):
            s3.client.put_object(Bucket=s3._bucket, Key=foreign, Body=b"2")
        assert [info.key for info in s3.list()] == ["a"]
        assert s3.expire("", older_than=datetime.now(UTC) + HOUR) == 1
        left = s3.client.list_objects_v2(Bucket=s3._bucket)
        assert left["KeyCount"] == 4

    def test_a_sequential_read_of_thirty_mebibytes_makes_few_requests(self, s3: S3ObjectStore) -> None:
        data = noise(30 * MIB)
        s3.put("a", data)
        gets = requests_of(s3, "GetObject")
        with s3.open("a") as file:
            read = b"".join(iter(lambda: file.read(32 * 1024), b""))
        assert read == data
        assert len(gets) == 9  # 1 + 2 + 7 blocks of 4 MiB, the last one short
        assert gets[0] == "bytes=0-1048575"

    def test_a_look_at_both_ends_of_a_large_object_fetches_little_of_it(self, s3: S3ObjectStore) -> None:
        data = noise(30 * MIB)
        s3.put("a", data)
        gets = requests_of(s3, "GetObject")
        with s3.open("a") as file:
            file.seek(-1000, os.SEEK_END)
            assert file.read() == data[-1000:]
            file.seek(0)
            assert file.read(1000) == data[:1000]
            file.seek(-500, os.SEEK_END)
            assert file.read(100) == data[-500:-400]
        assert gets == [f"bytes={30 * MIB - 1000}-{30 * MIB - 1}", "bytes=0-1048575"]

    def test_alternating_between_two_places_keeps_both_blocks(self, s3: S3ObjectStore) -> None:
        s3.put("a", noise(20 * MIB))
        gets = requests_of(s3, "GetObject")
        with s3.open("a") as file:
            for turn in range(8):
                for base in (0, 10 * MIB):
                    file.seek(base + turn * 128 * 1024)
                    file.read(128 * 1024)
            assert len(gets) == 2
            for place in (0, 5 * MIB, 0):  # the block used longest ago gives way, which isn't the first
                file.seek(place)
                file.read(128 * 1024)
            assert len(gets) == 3

    def test_an_object_replaced_while_it_is_read_is_noticed(self, s3: S3ObjectStore) -> None:
        s3.put("a", b"1" * (3 * MIB))
        with s3.open("a") as file:
            file.read(10)
            s3.put("a", b"2" * (3 * MIB))
            file.seek(2 * MIB)
            with pytest.raises(ObjectChanged) as changed:
                file.read(10)
        assert changed.value.retryable

    def test_an_object_deleted_while_it_is_read_is_not_found(self, s3: S3ObjectStore) -> None:
        s3.put("a", b"1" * (3 * MIB))
        with s3.open("a") as file:
            s3.delete("a")
            with pytest.raises(ObjectNotFound):
                file.read(10)

    def test_a_presigned_get_downloads_with_its_file_name_and_type(self, s3: S3ObjectStore) -> None:
        s3.put("a/talk", b"sound", content_type="audio/wav")
        url = s3.presign_get("a/talk", expires=HOUR, filename="Моя запись.wav", content_type="audio/x-wav")
        with urllib.request.urlopen(url) as answer:
            assert answer.read() == b"sound"
            assert answer.headers["Content-Type"] == "audio/x-wav"
            assert unquote(answer.headers["Content-Disposition"]).endswith("UTF-8''Моя запись.wav")

    def test_a_presigned_put_uploads(self, s3: S3ObjectStore) -> None:
        upload = s3.presign_put("a/talk", expires=HOUR, content_type="audio/wav", max_bytes=5)
        assert upload.max_bytes is None
        assert datetime.now(UTC) < upload.expires_at <= datetime.now(UTC) + HOUR
        request = urllib.request.Request(upload.url, data=b"sound", method=upload.method, headers=dict(upload.headers))
        with urllib.request.urlopen(request) as answer:
            assert answer.status == 200
        assert s3.get("a/talk") == b"sound"
        assert s3.head("a/talk").content_type == "audio/wav"
        query = dict(parse_qsl(urlsplit(upload.url).query))
        assert query["X-Amz-Expires"] == "3600"
        assert query["X-Amz-SignedHeaders"] == "content-type;host"

    def test_presigned_urls_name_the_server_as_clients_see_it(self, s3_endpoint: str) -> None:
        store = S3ObjectStore(
            S3Settings(
                bucket="some-bucket",
                endpoint_url=s3_endpoint,
                public_endpoint_url="https://media.example/s3/",
            )
        )
        url = urlsplit(store.presign_get("a/b+c", expires=HOUR))
        assert (url.scheme, url.netloc, url.path) == ("https", "media.example", "/s3/some-bucket/a/b%2Bc")

    def test_amazon_itself_gets_the_bucket_in_the_host_name(self, s3_endpoint: str) -> None:
        store = S3ObjectStore(S3Settings(bucket="some-bucket", region="eu-west-1"))
        url = urlsplit(store.presign_get("a", expires=HOUR))
        assert url.netloc == "some-bucket.s3.eu-west-1.amazonaws.com"

    def test_a_missing_bucket_is_told_from_a_missing_object_and_can_be_made(self, s3_endpoint: str) -> None:
        store = S3ObjectStore(S3Settings(bucket="made-later", endpoint_url=s3_endpoint, region="eu-central-1"))
        for call in (
            store.check,
            lambda: store.put("a", b"1"),
            lambda: store.get("a"),
            lambda: list(store.list()),
        ):
            with pytest.raises(StorageUnavailable, match="made-later") as missing:
                call()
            assert (missing.value.code, missing.value.retryable) == ("NoSuchBucket", False)
        store.ensure()
        store.check()
        store.put("a", b"1")

    def test_a_closed_port_is_unavailable_with_the_clients_own_error_as_code(self, s3_endpoint: str) -> None:
        with socket.socket() as unused:
            unused.bind(("127.0.0.1", 0))
            port = unused.getsockname()[1]
            store = S3ObjectStore(
                S3Settings(bucket="some-bucket", endpoint_url=f"http://127.0.0.1:{port}", max_attempts=1)
            )
            calls: list[Callable[[], object]] = [
                store.check,
                store.ensure,
                lambda: store.get("a"),
                lambda: store.open("a"),
                lambda: store.put("a", b"1"),
                lambda: list(store.list()),
                lambda: store.delete("a"),
            ]
            for call in calls:
                with pytest.raises(StorageUnavailable) as unavailable:
                    call()
                assert unavailable.value.code == "EndpointConnectionError"
                assert unavailable.value.retryable

    def test_missing_credentials_are_named(
        self, s3: S3ObjectStore, s3_endpoint: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        monkeypatch.delenv("AWS_ACCESS_KEY_ID")
        monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
        monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
        monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
        monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
        store = S3ObjectStore(S3Settings(bucket="some-bucket", endpoint_url=s3_endpoint))
        with pytest.raises(StorageUnavailable, match="AWS_ACCESS_KEY_ID") as unavailable:
            store.check()
        assert not unavailable.value.retryable

    @pytest.mark.parametrize(
        ("status", "code", "retryable"),
        [
            (403, "AccessDenied", False),
            (403, "SignatureDoesNotMatch", False),
            (503, "SlowDown", True),
            (500, "InternalError", True),
        ],
    )
    def test_the_servers_error_code_is_kept(self, s3: S3ObjectStore, status: int, code: str, retryable: bool) -> None:
        body = f"<Error><Code>{code}</Code><Message>top secret detail</Message></Error>"
        with FakeS3(f"HTTP/1.1 {status} Error", body.encode()) as fake:
            store = S3ObjectStore(S3Settings(bucket="some-bucket", endpoint_url=fake.url, max_attempts=1))
            with pytest.raises(StorageUnavailable) as failed:
                store.get("a")
        assert (failed.value.code, failed.value.retryable) == (code, retryable)
        assert "secret" not in str(failed.value)

    def test_an_answer_that_breaks_off_is_asked_for_again_then_given_up(self, s3: S3ObjectStore) -> None:
        with FakeS3('HTTP/1.1 200 OK\r\nETag: "1"', b"half", announced=8) as fake:
            store = S3ObjectStore(S3Settings(bucket="some-bucket", endpoint_url=fake.url, max_attempts=3))
            with pytest.raises(StorageUnavailable) as failed:
                store.get("a")
        assert failed.value.retryable
        assert fake.requests == 3


class FakeS3:
    """A server that gives every request the same answer, however broken, and hangs up."""

    def __init__(self, head: str, body: bytes, announced: int | None = None) -> None:
        length = len(body) if announced is None else announced
        self._answer = f"{head}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n".encode() + body
        self._socket = socket.create_server(("127.0.0.1", 0))
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self.requests = 0
        self.url = f"http://127.0.0.1:{self._socket.getsockname()[1]}"

    def __enter__(self) -> "FakeS3":
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()
        self._thread.join()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._socket.accept()
            except OSError:
                return
            with connection:
                connection.recv(65536)
                self.requests += 1
                connection.sendall(self._answer)


class TestDirectory:
    def test_an_object_is_the_plain_file_that_its_key_names(self, directory: DirectoryObjectStore) -> None:
        directory.put("jobs/1/talk.wav", b"sound", content_type="audio/wav")
        path = directory._tree.root / "jobs/1/talk.wav"
        assert path.read_bytes() == b"sound"
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert sorted(item.name for item in path.parent.iterdir()) == [".talk.wav.json", "talk.wav"]

    def test_an_open_object_stays_the_same_when_it_is_replaced(self, directory: DirectoryObjectStore) -> None:
        directory.put("a", b"old")
        with directory.open("a") as file:
            directory.put("a", b"new")
            assert file.read() == b"old"

    def test_a_key_cannot_be_an_object_and_a_folder(self, directory: DirectoryObjectStore) -> None:
        directory.put("a", b"1")
        directory.put("b/c", b"1")
        with pytest.raises(InvalidKey, match="inside an object"):
            directory.put("a/b", b"2")
        with pytest.raises(InvalidKey, match="folder of other objects"):
            directory.put("b", b"2", content_type="text/plain")
        directory.delete("b")
        assert [info.key for info in directory.list()] == ["a", "b/c"]
        assert leftovers(directory) == []

    def test_no_symbolic_link_is_followed(self, directory: DirectoryObjectStore, tmp_path: Path) -> None:
        outside = tmp_path / "outside"
        outside.mkdir()
        (outside / "secret").write_bytes(b"secret")
        root = directory._tree.root
        (root / "folder").symlink_to(outside)
        (root / "file").symlink_to(outside / "secret")
        for key in ("folder/secret", "file"):
            for read in (directory.get, directory.open, directory.head, directory.iterate):
                with pytest.raises(ObjectNotFound):
                    read(key)
            directory.delete(key)
        with pytest.raises(InvalidKey):
            directory.put("folder/new", b"1")
        assert list(directory.list()) == [] == list(directory.list("folder"))
        assert directory.delete_prefix("folder") == 0
        assert directory.expire("", older_than=datetime.now(UTC) + HOUR) == 0
        directory.put("file", b"mine", content_type="text/plain")
        assert directory.get("file") == b"mine"
        assert [path.name for path in outside.iterdir()] == ["secret"]
        assert (outside / "secret").read_bytes() == b"secret"

    def test_links_in_the_place_of_the_hidden_files_are_not_followed(
        self, directory: DirectoryObjectStore, tmp_path: Path
    ) -> None:
        target = tmp_path / "target"
        target.write_bytes(b"x" * 32)
        root = directory._tree.root
        (root / ".secret").symlink_to(target)
        with pytest.raises(StorageUnavailable):
            directory.presign_get("a", expires=HOUR)
        directory.put("a", b"1")
        (root / ".a.json").symlink_to(target)
        assert directory.head("a").content_type is None
        directory.put("a", b"1", content_type="text/plain")
        assert target.read_bytes() == b"x" * 32
        assert directory.head("a").content_type == "text/plain"

    def test_the_folder_itself_may_be_a_link(self, directory: DirectoryObjectStore, tmp_path: Path) -> None:
        directory.put("a", b"1")
        (tmp_path / "link").symlink_to(directory._tree.root)
        assert DirectoryObjectStore(DirectorySettings(path=tmp_path / "link")).get("a") == b"1"

    def test_a_pipe_is_no_object(self, directory: DirectoryObjectStore) -> None:
        os.mkfifo(directory._tree.root / "pipe")
        with pytest.raises(ObjectNotFound):
            directory.open("pipe")
        assert list(directory.list()) == []

    @pytest.mark.parametrize(
        "damage", [b"", b"{", b"[]", b'{"modified_ns": 0, "size": 1, "content_type": "text/html"}']
    )
    def test_a_damaged_or_foreign_sidecar_counts_as_none(self, directory: DirectoryObjectStore, damage: bytes) -> None:
        directory.put("a", b"1", content_type="text/plain")
        (directory._tree.root / ".a.json").write_bytes(damage)
        assert directory.head("a").content_type is None

    def test_a_copy_of_the_folder_keeps_the_content_types(
        self, directory: DirectoryObjectStore, tmp_path: Path
    ) -> None:
        directory.put("a/b", b"1", content_type="text/plain")
        shutil.copytree(directory._tree.root, tmp_path / "copy")
        copy = DirectoryObjectStore(DirectorySettings(path=tmp_path / "copy"))
        assert copy.head("a/b").content_type == "text/plain"

    def test_expiry_goes_by_the_time_of_each_file(self, directory: DirectoryObjectStore) -> None:
        root = directory._tree.root
        for name in ("old/a", "old/b", "new/a"):
            directory.put(name, b"1", content_type="text/plain")
        (root / "old" / ".gone.json").write_bytes(b"{}")
        (root / "old" / ".0123456789abcdef.part").write_bytes(b"half")
        limit = datetime(2026, 1, 2, tzinfo=UTC)
        for path, day in (
            ("old/a", 1),
            ("old/b", 2),
            ("old/.b.json", 1),
            ("old/.gone.json", 1),
            ("old/.0123456789abcdef.part", 1),
            ("new/a", 3),
        ):
            time = datetime(2026, 1, day, tzinfo=UTC).timestamp()
            os.utime(root / path, (time, time))
        assert directory.expire("", older_than=limit) == 1
        assert [info.key for info in directory.list()] == ["new/a", "old/b"]
        assert leftovers(directory) == []
        assert (root / "old" / ".b.json").exists()

    def test_expiry_spares_an_object_that_was_rewritten_after_it_was_listed(
        self, directory: DirectoryObjectStore, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        directory.put("a", b"old")
        os.utime(directory._tree.root / "a", (0, 0))
        listed = list(directory._entries(""))
        directory.put("a", b"new")
        monkeypatch.setattr(directory, "_entries", lambda prefix: iter(listed))
        assert directory.expire("", older_than=datetime(2000, 1, 1, tzinfo=UTC)) == 0
        assert directory.get("a") == b"new"

    def test_a_missing_folder_is_unavailable_not_an_empty_store(self, tmp_path: Path) -> None:
        store = DirectoryObjectStore(DirectorySettings(path=tmp_path / "nowhere"))
        calls: list[Callable[[], object]] = [
            store.check,
            lambda: store.get("a"),
            lambda: store.head("a"),
            lambda: store.put("a", b"1"),
            lambda: list(store.list()),
            lambda: store.delete("a"),
        ]
        for call in calls:
            with pytest.raises(StorageUnavailable, match="nowhere") as missing:
                call()
            assert (missing.value.code, missing.value.retryable) == ("ENOENT", False)

    def test_a_folder_that_cannot_be_made_is_said_so(self, tmp_path: Path) -> None:
        (tmp_path / "file").write_bytes(b"")
        store = DirectoryObjectStore(DirectorySettings(path=tmp_path / "file" / "objects"))
        with pytest.raises(StorageUnavailable, match="Not a directory"):
            store.ensure()

    @pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs Linux's /dev/full")
    def test_a_full_disk_aborts_the_writer(self, directory: DirectoryObjectStore) -> None:
        writer = directory.writer("deep/a")
        full = os.open("/dev/full", os.O_WRONLY)
        os.dup2(full, writer._file.fileno())
        os.close(full)
        with pytest.raises(StorageUnavailable, match="No space left") as failed:
            writer.write(b"1")
        assert (failed.value.code, failed.value.retryable) == ("ENOSPC", True)
        assert leftovers(directory) == []


class TestDirectorySigning:
    now = datetime(2026, 5, 6, 7, 8, 9, tzinfo=UTC)

    @pytest.fixture
    def signing(self, tmp_path: Path) -> DirectoryObjectStore:
        settings = DirectorySettings(path=tmp_path, public_url="https://voice.example/base/")
        return DirectoryObjectStore(settings, clock=lambda: self.now)

    def test_a_get_is_granted_with_what_was_signed(self, signing: DirectoryObjectStore) -> None:
        url = signing.presign_get("a/b+я", expires=HOUR, filename='Моя "запись".wav', content_type="audio/wav")
        parts = urlsplit(url)
        assert f"{parts.scheme}://{parts.netloc}" == "https://voice.example"
        assert parts.path == "/base/v1/objects/" + quote("a/b+я")
        params = dict(parse_qsl(parts.query))
        assert params["expires"] == str(int((self.now + HOUR).timestamp()))
        grant = signing.verify("a/b+я", params, "GET", now=self.now + HOUR - timedelta(seconds=1))
        assert (grant.filename, grant.content_type, grant.max_bytes) == (
            'Моя "запись".wav',
            "audio/wav",
            None,
        )

    def test_a_put_is_granted_with_its_limit(self, signing: DirectoryObjectStore) -> None:
        upload = signing.presign_put("a", expires=HOUR, content_type="audio/wav", max_bytes=7)
        assert (upload.method, upload.headers) == ("PUT", {"Content-Type": "audio/wav"})
        assert (upload.expires_at, upload.max_bytes) == (self.now + HOUR, 7)
        grant = signing.verify("a", dict(parse_qsl(urlsplit(upload.url).query)), "PUT", now=self.now)
        assert (grant.max_bytes, grant.content_type) == (7, "audio/wav")

    def test_an_expired_url_is_told_from_a_wrong_one(self, signing: DirectoryObjectStore) -> None:
        params = dict(parse_qsl(urlsplit(signing.presign_get("a", expires=HOUR)).query))
        with pytest.raises(Expired):
            signing.verify("a", params, "GET", now=self.now + HOUR)

    @pytest.mark.parametrize(
        "change",
        [
            {"expires": "9999999999"},
            {"method": "GET"},
            {"max_bytes": "1000000"},
            {"content_type": "text/html"},
            {"filename": "other"},
            {"extra": "1"},
            {"signature": ""},
            {"signature": "0" * 64},
            {"signature": "я"},
            {"max_bytes": None},
            {"content_type": None},
            {"expires": None},
            {"method": None},
            {"signature": None},
        ],
    )
    def test_any_alteration_breaks_the_signature(
        self, signing: DirectoryObjectStore, change: dict[str, str | None]
    ) -> None:
        upload = signing.presign_put("a", expires=HOUR, content_type="audio/wav", max_bytes=7)
        params = dict(parse_qsl(urlsplit(upload.url).query))
        signing.verify("a", params, "PUT", now=self.now)
        altered = {name: value for name, value in (params | change).items() if value is not None}
        for method in ("GET", "PUT"):
            with pytest.raises(InvalidSignature):
                signing.verify("a", altered, method, now=self.now)

    def test_a_url_is_good_for_its_own_key_and_method_only(self, signing: DirectoryObjectStore) -> None:
        params = dict(parse_qsl(urlsplit(signing.presign_get("a/b", expires=HOUR)).query))
        with pytest.raises(InvalidSignature):
            signing.verify("a/c", params, "GET", now=self.now)
        with pytest.raises(InvalidSignature):
            signing.verify("a/b", params, "PUT", now=self.now)

    def test_without_a_public_url_the_urls_are_relative(self, tmp_path: Path) -> None:
        store = DirectoryObjectStore(DirectorySettings(path=tmp_path))
        assert store.presign_get("a", expires=HOUR).startswith("/v1/objects/a?method=GET&expires=")

    @pytest.mark.slow
    def test_processes_that_start_at_once_share_one_private_secret(self, tmp_path: Path) -> None:
        program = (
            "import sys; from pathlib import Path\n"
            "from storage.objects.directory_secret import load_or_make\n"
            "from storage.objects.directory_tree import Tree\n"
            "sys.stdin.readline(); print(load_or_make(Tree(Path(sys.argv[1]))).hex())"
        )
        started = [
            subprocess.Popen(
                [sys.executable, "-c", program, str(tmp_path)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
                cwd=Path(__file__).parents[2],
            )
            for _ in range(3)
        ]
        for process in started:
            assert process.stdin is not None
            process.stdin.write("go\n")
            process.stdin.flush()
        found = {process.communicate()[0].strip() for process in started}
        assert len(found) == 1
        assert len(found.pop()) == 64
        assert stat.S_IMODE((tmp_path / ".secret").stat().st_mode) == 0o600
        assert sorted(path.name for path in tmp_path.iterdir()) == [".lock", ".secret"]

    @pytest.mark.parametrize("damage", [b"", b"short", b"x" * 33])
    def test_a_damaged_secret_is_refused(self, signing: DirectoryObjectStore, tmp_path: Path, damage: bytes) -> None:
        (tmp_path / ".secret").write_bytes(damage)
        with pytest.raises(StorageUnavailable, match="damaged"):
            signing.presign_get("a", expires=HOUR)


class TestSettings:
    parser: TypeAdapter[S3Settings | DirectorySettings] = TypeAdapter(ObjectsSettings)

    def test_the_kind_chooses_the_store(self, tmp_path: Path) -> None:
        assert isinstance(build(self.parser.validate_python({"kind": "s3", "bucket": "some-bucket"})), S3ObjectStore)
        assert isinstance(
            build(self.parser.validate_python({"kind": "directory", "path": str(tmp_path)})),
            DirectoryObjectStore,
        )

    @pytest.mark.parametrize(
        "settings",
        [
            {"kind": "azure"},
            {"bucket": "some-bucket"},
            {"kind": "s3", "bucket": "some-bucket", "secret_key": "x"},
            {"kind": "s3", "bucket": "Bad_Bucket"},
            {"kind": "s3", "bucket": "some-bucket", "endpoint_url": "minio:9000"},
            {"kind": "s3", "bucket": "some-bucket", "endpoint_url": "http://user:password@minio:9000"},
            {"kind": "s3", "bucket": "some-bucket", "prefix": "../up"},
            {"kind": "s3", "bucket": "some-bucket", "max_attempts": 0},
            {"kind": "directory", "path": "/tmp/x", "public_url": "voice.example"},
            {"kind": "directory", "path": "/tmp/x", "bucket": "some-bucket"},
        ],
    )
    def test_wrong_settings_are_refused(self, settings: dict[str, object]) -> None:
        with pytest.raises(ValidationError):
            self.parser.validate_python(settings)


def test_a_file_name_in_a_header_keeps_its_letters_and_cannot_break_out() -> None:
    value = content_disposition('a"b\\c\r\nX: я.wav')
    assert value == ("attachment; filename=\"a_b_c__X: _.wav\"; filename*=UTF-8''a%22b%5Cc%0D%0AX%3A%20%D1%8F.wav")
