"""Forms received in pieces of any size, into a real object store or a file of this process."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from starlette.requests import Request

from graphs.common.errors import ApiError
from graphs.http.server.files import WRITE_BYTES, ObjectSink, SpooledFile, SpoolSink, StoredFile
from graphs.http.server.multipart import MAX_FIELD_BYTES, MAX_FIELDS, receive_form
from storage.objects import DirectorySettings, ObjectStore, build

pytestmark = [pytest.mark.unit, pytest.mark.anyio]

# More than the sink's buffer, so that a refusal comes after something was written.
FILE = bytes(range(256)) * (WRITE_BYTES // 256 + 500) + b"\r\n--edge\r\nnot a boundary --edg"


@pytest.fixture
def objects(tmp_path: Path) -> ObjectStore:
    store = build(DirectorySettings(kind="directory", path=tmp_path))
    store.ensure()
    return store


def part(name: str, value: bytes, filename: str | None = None, content_type: str | None = None) -> bytes:
    disposition = f'Content-Disposition: form-data; name="{name}"' + (f'; filename="{filename}"' if filename else "")
    kind = f"\r\nContent-Type: {content_type}" if content_type else ""
    return f"--limit\r\n{disposition}{kind}\r\n\r\n".encode() + value + b"\r\n"


END = b"--limit--\r\n"


def request(body: bytes, size: int, **headers: str) -> Request:
    sent = {"content-type": "multipart/form-data; boundary=limit", **headers}
    pieces = [body[start : start + size] for start in range(0, len(body), size)] or [b""]

    async def receive() -> dict[str, Any]:
        piece = pieces.pop(0)
        return {"type": "http.request", "body": piece, "more_body": bool(pieces)}

    scope = {"type": "http", "method": "POST", "headers": [(k.encode(), v.encode()) for k, v in sent.items()]}
    return Request(scope, receive)


async def received(objects: ObjectStore, sent: Request, limit: int = 10**7) -> tuple[dict[str, str], StoredFile]:
    sink = ObjectSink(objects, "uploads/1/x", limit)
    return await receive_form(sent, sink, file_field="file", limit=limit, chunk_timeout=10)


def left_in(store: Path) -> list[str]:
    """List the files of objects in a store's directory, those that are being written included."""
    return [str(file) for file in store.rglob("*") if file.is_file() and file.name != ".lock"]


@pytest.mark.parametrize("size", [1, 7, 64, 1000, 65_536, 10**7])
async def test_a_form_is_the_same_in_pieces_of_any_size(objects: ObjectStore, size: int) -> None:
    # Byte by byte the whole file would take seconds.
    file = FILE if size > 100 else FILE[-20_000:]
    body = part("language", b"en") + part("file", file, "разговор.wav", "Audio/WAV; x=1") + part("note", "да".encode())
    fields, stored = await received(objects, request(body + END, size))
    assert fields == {"language": "en", "note": "да"}
    assert (stored.filename, stored.content_type) == ("разговор.wav", "audio/wav")
    assert (stored.info.key, stored.info.size) == ("uploads/1/x", len(file))
    assert objects.get("uploads/1/x") == file


@pytest.mark.parametrize("file", [b"", FILE[-20_000:], FILE], ids=["empty", "in memory", "on disk"])
async def test_a_file_can_be_received_without_the_store(file: bytes) -> None:
    sent = request(part("audio", file, "a.wav") + END, 65_536)
    _fields, spooled = await receive_form(sent, SpoolSink(), file_field="audio", limit=10**7, chunk_timeout=10)
    assert isinstance(spooled, SpooledFile)
    with spooled.file:
        assert (spooled.filename, spooled.content_type) == ("a.wav", "application/octet-stream")
        assert spooled.file.read() == file


async def test_a_spooled_file_over_the_limit_is_refused_and_closed() -> None:
    sink = SpoolSink()
    sent = request(part("audio", FILE, "a.wav") + END, 65_536)
    with pytest.raises(ApiError) as refused:
        await receive_form(sent, sink, file_field="audio", limit=len(FILE) - 1, chunk_timeout=10)
    assert (refused.value.status, refused.value.field) == (413, "audio")
    with pytest.raises(ValueError, match="closed file"):
        sink.write(bytearray(b"x"))


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (part("a", b"1") + END, "missing_field"),
        (part("file", FILE, "a.wav"), "malformed_form"),  # its last line is missing
        (b"nonsense", "malformed_form"),
        (part("file", FILE, "a.wav") + part("file", FILE, "b.wav") + END, "duplicate_field"),
        (part("file", FILE, "a.wav") + part("x", b"1", "x.txt") + END, "unknown_field"),
        (part("a", b"1") + part("a", b"2") + END, "duplicate_field"),
        (part("a", b"1" * (MAX_FIELD_BYTES + 1)) + END, "field_too_long"),
        (b"".join(part(f"f{n}", b"1") for n in range(MAX_FIELDS + 1)) + END, "too_many_fields"),
    ],
)
async def test_a_bad_form_is_refused_and_leaves_nothing(
    objects: ObjectStore, tmp_path: Path, body: bytes, code: str
) -> None:
    with pytest.raises(ApiError) as refused:
        await received(objects, request(body, 4096))
    assert refused.value.code == code
    assert left_in(tmp_path) == []


async def test_a_file_over_the_limit_is_refused_and_leaves_nothing(objects: ObjectStore, tmp_path: Path) -> None:
    body = part("file", FILE, "a.wav") + END
    declared = request(b"", 1, **{"content-length": str(10**10)})  # refused before anything is read
    for sent, limit in ((request(body, 4096), len(FILE) - 1), (declared, 10**7)):
        with pytest.raises(ApiError) as refused:
            await received(objects, sent, limit)
        assert (refused.value.status, refused.value.code, refused.value.field) == (413, "too_large", "file")
        assert str(limit) in refused.value.detail
        assert left_in(tmp_path) == []


async def test_a_client_that_leaves_leaves_nothing(objects: ObjectStore, tmp_path: Path) -> None:
    async def leaving() -> AsyncIterator[dict[str, Any]]:
        yield {"type": "http.request", "body": part("file", FILE, "a.wav"), "more_body": True}
        yield {"type": "http.disconnect"}

    messages = leaving()
    sent = request(b"", 1)
    sent._receive = lambda: anext(messages)  # type: ignore[assignment]
    with pytest.raises(ApiError) as refused:
        await received(objects, sent)
    assert refused.value.code == "upload_aborted"
    assert left_in(tmp_path) == []
