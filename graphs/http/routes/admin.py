"""The operator's routes for owners and their keys."""

import asyncio
from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query
from pydantic import BaseModel, ConfigDict, Field

from graphs.common.errors import ApiError
from graphs.common.recordings import erase_objects
from graphs.http.server.auth import admin
from graphs.http.server.bodies import OptionalJsonBody
from graphs.http.server.services import ServicesDependency

router = APIRouter(prefix="/admin", tags=["admin"], dependencies=[Depends(admin)])


class NewOwnerRequest(BaseModel):
    """An owner to be."""

    model_config = ConfigDict(extra="forbid")
    name: str = Field(min_length=1, max_length=100)


class NewOwnerBody(BaseModel):
    """A new owner; the key is shown this once and kept only as a hash."""

    id: int
    name: str
    api_key: str


class OwnerBody(BaseModel):
    """An owner; ``api_key`` shows only how the key begins."""

    id: int
    name: str
    api_key: str
    created_at: datetime


@router.post("/users", summary="Make an owner and an API key")
async def create_user(
    services: ServicesDependency,
    body: OptionalJsonBody[NewOwnerRequest],
    name: Annotated[str | None, Query(max_length=100)] = None,
) -> NewOwnerBody:
    """Make an owner named by the query or by a JSON body."""
    if name is None:
        name = (await body.read()).name
    try:
        user = await services.users.create(name)
    except ValueError as error:
        raise ApiError(422, "invalid_name", str(error), field="name") from error
    return NewOwnerBody(id=user.id, name=user.name, api_key=user.api_key)


@router.get("/users", summary="List the owners")
async def list_users(services: ServicesDependency) -> list[OwnerBody]:
    """Return all owners."""
    users = await services.users.list()
    return [
        OwnerBody(id=user.id, name=user.name, api_key=f"{user.key_prefix}…", created_at=user.created_at)
        for user in users
    ]


@router.delete("/users/{user_id}", summary="Erase an owner with all data")
async def delete_user(services: ServicesDependency, user_id: int) -> dict[str, Any]:
    """Erase an owner: keys die, running jobs are cancelled, recordings and results are erased."""
    removed = await services.users.delete(user_id)
    if removed is None:
        raise ApiError(404, "user_not_found", "User not found", field="user_id")
    await asyncio.to_thread(erase_objects, services.objects, removed)
    return {"status": "deleted", "user_id": user_id}
