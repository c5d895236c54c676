"""Request bodies declared by type and read by the route, after the API key and whatever else it checks first.

FastAPI's own ``Body``, ``Form`` and ``File`` read a body whole, and before any dependency has run. A parameter of one
of these types is the body, not yet read; ``graphs.http.server.openapi`` describes it by its models::

    async def register_voice(owner: Owner, form: FormBody[VoiceForm]) -> RegisteredVoiceBody:
        voice = await form.receive(limit=20 * MEBIBYTE)
"""

import asyncio
import json
from functools import cache
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Generic, TypeVar

from fastapi import Depends, Request
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, Discriminator, Field, TypeAdapter, ValidationError

from graphs.common.errors import ApiError
from graphs.common.recordings import new_upload_key
from graphs.http.server.auth import Owner
from graphs.http.server.files import ObjectSink, ReceivedFile, Sink, SpoolSink, StoredFile
from graphs.http.server.multipart import receive_form
from graphs.http.server.services import Services, ServicesDependency
from storage.users import User

JSON = "application/json"
MULTIPART = "multipart/form-data"
MAX_JSON_BYTES = 64 * 1024

BodyT = TypeVar("BodyT")
FormT = TypeVar("FormT", bound=BaseModel)


class DeclaredBody:
    """A request's body of declared types. Subscribed with them, it is the annotation of a route's parameter.

    Attributes:
        models: Type of the body by media type.
        required: Whether a request must have a body.
    """

    models: ClassVar[dict[str, Any]] = {}
    required: ClassVar[bool] = True
    media_types: ClassVar[tuple[str, ...]]

    if not TYPE_CHECKING:

        def __class_getitem__(cls, types: Any) -> Any:
            types = types if isinstance(types, tuple) else (types,)
            if any(isinstance(one, TypeVar) for one in types):  # a base of a generic class
                return super().__class_getitem__(types)
            return Annotated[cls.of(*types), Depends()]

    @classmethod
    def of(cls, *models: Any) -> type["DeclaredBody"]:
        """Return the dependency that provides a body of these types, one for each media type."""
        base: Any = cls
        declared: type[DeclaredBody] = _declared(base, models)
        return declared


@cache
def _declared(base: Any, models: tuple[Any, ...]) -> Any:
    return type(base.__name__, (base,), {"models": dict(zip(base.media_types, models, strict=True))})


class JsonBody(DeclaredBody, Generic[BodyT]):
    """A JSON body, not yet read."""

    media_types = (JSON,)

    def __init__(self, request: Request) -> None:
        self._request = request

    async def read(self, *, limit: int = MAX_JSON_BYTES, max_items: int | None = None) -> BodyT:
        """Read and validate it.

        Args:
            limit: Most bytes.
            max_items: Most elements of its lists, about: numbers take many times their text in memory.

        Raises:
            ApiError: 413 for a body beyond the bounds, 400 for one that is not JSON.
            RequestValidationError: It is not of the declared type.
        """
        body: BodyT = await _read_json(self._request, self.models[JSON], limit, max_items)
        return body


class OptionalJsonBody(JsonBody[BodyT], Generic[BodyT]):
    """A JSON body that may be left out, not yet read."""

    required = False

    @property
    def given(self) -> bool:
        """True if the request has a body."""
        headers = self._request.headers
        return headers.get("content-length", "0") != "0" or "transfer-encoding" in headers


class FormBody(DeclaredBody, Generic[FormT]):
    """A multipart form with one file, not yet read.

    The form's model has one field of the type ``StoredFile`` or ``SpooledFile``, which says where the file goes.
    """

    media_types = (MULTIPART,)

    # The owner is asked for here, so that no route can receive a file without an API key.
    def __init__(self, request: Request, services: ServicesDependency, owner: Owner) -> None:
        self._request, self._services, self._owner = request, services, owner

    async def receive(self, *, limit: int) -> FormT:
        """Receive and validate it.

        Args:
            limit: Largest file in bytes.

        Raises:
            ApiError: See ``receive_form``.
            RequestValidationError: Its fields are not those of the model; the file is erased.
        """
        form: FormT = await _receive_form(self._request, self._services, self._owner, self.models[MULTIPART], limit)
        return form


class FormOrJsonBody(DeclaredBody, Generic[FormT, BodyT]):
    """A multipart form with one file, or a JSON body in its place, not yet read."""

    media_types = (MULTIPART, JSON)

    def __init__(self, request: Request, services: ServicesDependency, owner: Owner) -> None:
        self._request, self._services, self._owner = request, services, owner

    async def receive(self, *, limit: int) -> FormT | BodyT:
        """Receive and validate whichever was sent, see ``FormBody`` and ``JsonBody``; the limit is that of the file."""
        received: FormT | BodyT
        if self._request.headers.get("content-type", "").startswith(JSON):
            received = await _read_json(self._request, self.models[JSON], MAX_JSON_BYTES)
        else:
            model = self.models[MULTIPART]
            received = await _receive_form(self._request, self._services, self._owner, model, limit)
        return received


async def _receive_form(request: Request, services: Services, owner: User, model: type[BaseModel], limit: int) -> Any:
    name, kind = file_field(model)
    sink: Sink[Any] = SpoolSink()
    if issubclass(kind, StoredFile):
        sink = ObjectSink(services.objects, new_upload_key(owner.id), limit)
    timeout = services.config.upload_chunk_timeout_seconds
    fields, file = await receive_form(request, sink, file_field=name, limit=limit, chunk_timeout=timeout)
    try:
        return model.model_validate({**fields, name: file})
    except ValidationError as error:
        await asyncio.shield(asyncio.to_thread(sink.discard))
        raise _invalid(error) from None


class RecordingForm(BaseModel):
    """A form with a recording that is stored."""

    file: StoredFile = Field(description="A recording.")


def with_recording(fields: type[BaseModel]) -> type[RecordingForm]:
    """Return the model of a form with these fields and the recording that they are about."""
    form: Any = type(fields.__name__, (fields, RecordingForm), {"__doc__": fields.__doc__, "__module__": __name__})
    model: type[RecordingForm] = form
    return model


def file_field(model: type[BaseModel]) -> tuple[str, type[ReceivedFile]]:
    """Return the name and the type of the field of a form's model that is its file."""
    for name, field in model.model_fields.items():
        if isinstance(field.annotation, type) and issubclass(field.annotation, ReceivedFile):
            return name, field.annotation
    raise TypeError(f"{model.__name__} has no field for a file")


@cache
def adapter_of(kind: Any) -> TypeAdapter[Any]:
    """Return the validator of a type."""
    return TypeAdapter(kind)


async def _read_json(request: Request, kind: Any, limit: int, max_items: int | None = None) -> Any:
    body = await _read(request, limit)
    if max_items is not None and body.count(b",") > max_items + 1000:
        raise ApiError(413, "too_large", f"There are more than {max_items} values.", field="body")
    if len(body) <= MAX_JSON_BYTES:
        return _parsed(kind, body)
    return await asyncio.to_thread(_parsed, kind, body)


def _parsed(kind: Any, body: bytes) -> Any:
    try:
        value = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise ApiError(400, "malformed_json", f"The body is not JSON: {error}", field="body") from error
    try:
        return adapter_of(kind).validate_python(value)
    except ValidationError as error:
        # The tag of a union's member is no part of a field's name.
        tagged = any(isinstance(part, Discriminator) for part in getattr(kind, "__metadata__", ()))
        raise _invalid(error, skip=int(tagged)) from None


async def _read(request: Request, limit: int) -> bytes:
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > limit:
            raise ApiError(413, "too_large", f"The JSON body is larger than {limit} bytes.", field="body")
    return bytes(body)


def _invalid(error: ValidationError, *, skip: int = 0) -> RequestValidationError:
    faults = error.errors(include_url=False, include_input=False)
    return RequestValidationError([{**fault, "loc": ("body", *fault["loc"][skip:])} for fault in faults])
