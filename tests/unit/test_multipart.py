"""Forms received in pieces of any size, into a real object store."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from starlette.requests import Request

from graphs.common.errors import ApiError
from graphs.http.server.multipart import MAX_FIELD_BYTES, MAX_FIELDS, ReceivedForm, receive_form
from storage.objects import DirectorySettings, ObjectStore, ObjectTooLarge, build

pytestmark = [pytest.mark.unit, pytest.mark.anyio]

FILE = bytes(range(256)) * 500 + b"\r\n--edge\r\nnot a boundary --edg"


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


async def received(objects: ObjectStore, sent: Request, limit: int = 10**7) -> ReceivedForm:
    return await receive_form(sent, objects, "uploads/1/x", file_field="file", limit=limit, chunk_timeout=10)


@pytest.mark.parametrize("size", [1, 7, 64, 1000, 65_536, 10**7])
async def test_a_form_is_the_same_in_pieces_of_any_size(objects: ObjectStore, size: int) -> None:
    # Byte by byte the whole file would take seconds.
    file = FILE if size > 10 else FILE[-20_000:]
    body = part("language", b"en") + part("file", file, "разговор.wav", "Audio/WAV; x=1") + part("note", "да".encode())
    form = await received(objects, request(body + END, size))
    assert form.fields == {"language": "en", "note": "да"}
    assert form.file is not None
    assert (form.file.filename, form.file.content_type) == ("разговор.wav", "audio/wav")
    assert form.file.info.size == len(file)
    assert objects.get("uploads/1/x") == file


async def test_a_form_without_a_file_has_none(objects: ObjectStore) -> None:
    assert (await received(objects, request(part("a", b"1") + END, 100))).file is None
    assert list(objects.list()) == []


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (part("file", FILE, "a.wav"), "malformed_form"),  # its last line is missing
        (b"nonsense", "malformed_form"),
        (part("file", FILE, "a.wav") + part("file", FILE, "b.wav") + END, "duplicate_field"),
        (part("file", FILE, "a.wav") + part("x", b"1", "x.txt") + END, "unknown_field"),
        (part("a", b"1") + part("a", b"2") + END, "duplicate_field"),
        (part("a", b"1" * (MAX_FIELD_BYTES + 1)) + END, "field_too_long"),
        (b"".join(part(f"f{n}", b"1") for n in range(MAX_FIELDS + 1)) + END, "too_many_fields"),
    ],
)
async def test_a_bad_form_is_refused_and_leaves_nothing(objects: ObjectStore, body: bytes, code: str) -> None:
    with pytest.raises(ApiError) as refused:
        await received(objects, request(body, 4096))
    assert refused.value.code == code
    assert list(objects.list()) == []


async def test_a_file_over_the_limit_is_refused_and_leaves_nothing(objects: ObjectStore) -> None:
    body = part("file", FILE, "a.wav") + END
    with pytest.raises(ObjectTooLarge):
        await received(objects, request(body, 4096), limit=len(FILE) - 1)
    with pytest.raises(ObjectTooLarge):  # before anything is read
        await received(objects, request(b"", 1, **{"content-length": str(10**10)}))
    assert list(objects.list()) == []


async def test_a_client_that_leaves_or_stalls_leaves_nothing(objects: ObjectStore) -> None:
    async def leaving() -> AsyncIterator[dict[str, Any]]:
        yield {"type": "http.request", "body": part("file", FILE, "a.wav"), "more_body": True}
        yield {"type": "http.disconnect"}

    messages = leaving()
    sent = request(b"", 1)
    sent._receive = lambda: anext(messages)  # type: ignore[assignment]
    with pytest.raises(ApiError) as refused:
        await received(objects, sent)
    assert refused.value.code == "upload_aborted"
    assert list(objects.list()) == []
