"""Spoken messages in, spoken replies out."""

import asyncio
import base64
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from typing import BinaryIO

import numpy as np
from fastapi import Request
from numpy.typing import NDArray
from starlette.datastructures import UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser

from graphs.common.errors import ApiError
from graphs.http.server.multipart import receive_body
from graphs.http.server.services import Services
from models.audio import AudioLimits, decode
from models.errors import InputError

FIELD = "audio"
MAX_FIELDS = 8
MAX_FIELD_BYTES = 4096
MIN_SECONDS = 0.1
# The form's own lines around the file: boundaries, headers, fields.
FORM_OVERHEAD_BYTES = 64 * 1024


@dataclass(frozen=True)
class SpokenForm:
    """A form with a recording, not yet decoded.

    Attributes:
        content_type: As the client calls it, in lower case and without parameters; empty where it doesn't.
        filename: As the client calls it.
        fields: The other fields.
    """

    file: BinaryIO
    content_type: str
    filename: str
    fields: dict[str, str]

    async def pcm(self, services: Services) -> NDArray[np.float32]:
        """Decode the recording and close it: mono float32 at 16 kHz, shape [samples].

        Raises:
            InputError: It can't be used (field ``audio``).
        """
        limits = AudioLimits(MIN_SECONDS, services.config.assistant.max_audio_seconds, allow_truncated=True)
        try:
            return await asyncio.to_thread(decode, self.file, limits)
        except InputError as error:
            raise InputError(error.code, error.message, field=FIELD) from error
        finally:
            self.file.close()


async def receive_spoken(request: Request, services: Services) -> SpokenForm:
    """Receive a multipart form with one recording, ``audio``, within the limits of spoken messages.

    Raises:
        ApiError: 413 beyond the limit, 415 for no form, 400 for a malformed one, 422 for one without the recording.
    """
    limit = services.config.assistant.max_audio_bytes
    if not request.headers.get("content-type", "").lower().startswith("multipart/form-data"):
        raise ApiError(415, "not_multipart", "Send the recording as multipart/form-data.", field="Content-Type")
    declared = request.headers.get("content-length", "")
    if declared.isdigit() and int(declared) > limit + FORM_OVERHEAD_BYTES:
        raise _too_large(limit)
    body = _bounded(request, limit, services.config.upload_chunk_timeout_seconds)
    parser = MultiPartParser(request.headers, body, max_files=1, max_fields=MAX_FIELDS, max_part_size=MAX_FIELD_BYTES)
    try:
        form = await parser.parse()
    except (MultiPartException, KeyError) as error:
        reason = getattr(error, "message", "it has no boundary")
        raise ApiError(400, "malformed_form", f"The multipart form is malformed: {reason}", field="body") from error
    recording = form.get(FIELD)
    if not isinstance(recording, UploadFile):
        await form.close()
        raise ApiError(422, "missing_file", f"The form has no file {FIELD!r}.", field=FIELD)
    if (recording.size or 0) > limit:
        await form.close()
        raise _too_large(limit)
    content_type = (recording.content_type or "").partition(";")[0].strip().lower()
    fields = {name: value for name, value in form.multi_items() if isinstance(value, str)}
    return SpokenForm(recording.file, content_type, recording.filename or "", fields)


async def _bounded(request: Request, limit: int, chunk_timeout: float) -> AsyncGenerator[bytes, None]:
    received = 0
    async for chunk in receive_body(request, chunk_timeout):
        received += len(chunk)
        if received > limit + FORM_OVERHEAD_BYTES:
            raise _too_large(limit)
        yield chunk


def _too_large(limit: int) -> ApiError:
    return ApiError(413, "too_large", f"The recording is larger than {limit} bytes.", field=FIELD)


def as_base64(data: bytes) -> str:
    """Return bytes as JSON carries them."""
    return base64.b64encode(data).decode()


def as_pcm16(samples: NDArray[np.float32]) -> bytes:
    """Return float samples, [-1, 1], as signed 16-bit ones, little-endian."""
    return np.rint(np.clip(np.nan_to_num(samples), -1.0, 1.0) * 32767).astype("<i2").tobytes()
