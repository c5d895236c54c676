"""Request bodies that are read by hand: small JSON, and forms whose file is streamed."""

import json
from typing import Any, TypeVar

from fastapi import Request
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, TypeAdapter, ValidationError

from graphs.common.errors import ApiError

MAX_JSON_BYTES = 64 * 1024

ModelT = TypeVar("ModelT", bound=BaseModel)


def validated(model: type[ModelT], data: object) -> ModelT:
    """Validate a body that was read by hand; faults become the usual 422."""
    try:
        return TypeAdapter(model).validate_python(data)
    except ValidationError as error:
        faults = [{**fault, "loc": ("body", *fault["loc"])} for fault in error.errors(include_url=False)]
        raise RequestValidationError(faults) from error


async def read_body(request: Request, limit: int = MAX_JSON_BYTES) -> bytes:
    """Read a JSON body of so many bytes at most, unparsed."""
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > limit:
            raise ApiError(413, "too_large", f"The JSON body is larger than {limit} bytes.", field="body")
    return bytes(body)


async def read_json(request: Request) -> object:
    """Read a small JSON body."""
    try:
        return json.loads(await read_body(request))
    except (ValueError, RecursionError) as error:
        raise ApiError(400, "malformed_json", f"The body is not JSON: {error}", field="body") from error


def form_with_file(fields: dict[str, Any], json_schema: dict[str, Any] | None = None) -> dict[str, Any]:
    """Describe, for OpenAPI, a multipart form with a file, and the JSON body that may stand in its place.

    Args:
        fields: JSON schemas of the form's other fields.
        json_schema: JSON schema of the other body.
    """
    properties = {"file": {"type": "string", "format": "binary"}, **fields}
    form = {"schema": {"type": "object", "required": ["file"], "properties": properties}}
    content = {"multipart/form-data": form, **({"application/json": {"schema": json_schema}} if json_schema else {})}
    return {"requestBody": {"required": True, "content": content}}
