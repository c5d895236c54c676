"""OpenAPI's descriptions of the bodies that routes read by themselves."""

from collections.abc import Iterator
from inspect import signature
from typing import Any

from fastapi import FastAPI
from fastapi.params import Depends
from fastapi.routing import iter_route_contexts

from graphs.http.server.bodies import DeclaredBody, adapter_of

_REFERENCE = "#/components/schemas/{model}"


def install(app: FastAPI) -> None:
    """Add the declared bodies to the reference that the application generates of itself."""
    generate = app.openapi
    described: dict[str, Any] | None = None

    def openapi() -> dict[str, Any]:
        nonlocal described
        document = generate()
        if document is not described:
            _describe(app, document)
            described = document
        return document

    app.openapi = openapi  # type: ignore[method-assign]


def _describe(app: FastAPI, document: dict[str, Any]) -> None:
    schemas = document.setdefault("components", {}).setdefault("schemas", {})
    for route in iter_route_contexts(app.routes):
        operations = document["paths"].get(route.path_format)
        if not operations:
            continue
        for body in declared_bodies(route.endpoint):
            content = {}
            for media_type, model in body.models.items():
                schema = adapter_of(model).json_schema(ref_template=_REFERENCE)
                schemas.update(schema.pop("$defs", {}))
                content[media_type] = {"schema": schema}
            for method in route.methods or ():
                if operation := operations.get(method.lower()):
                    operation["requestBody"] = {"required": body.required, "content": content}


def declared_bodies(endpoint: Any) -> Iterator[type[DeclaredBody]]:
    """Yield the bodies that are parameters of a route's function."""
    for parameter in signature(endpoint, eval_str=True).parameters.values():
        kind = getattr(parameter.annotation, "__origin__", None)
        for part in (*getattr(parameter.annotation, "__metadata__", ()), parameter.default):
            if isinstance(part, Depends):
                provider = part.dependency or kind
                if isinstance(provider, type) and issubclass(provider, DeclaredBody):
                    yield provider
