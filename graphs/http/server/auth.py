"""Authentication: API keys for owners, the admin key for the operator."""

import hashlib
import hmac
from typing import Annotated

from fastapi import Depends, Request, Security
from fastapi.security import APIKeyHeader, HTTPAuthorizationCredentials, HTTPBearer

from graphs.common.errors import ApiError
from graphs.http.server.services import Services, ServicesDependency
from storage.users import User

_api_key = APIKeyHeader(name="X-API-Key", auto_error=False, description="An owner's API key.")
_bearer = HTTPBearer(auto_error=False, description="The same key, as the OpenAI clients send it.")
_admin_key = APIKeyHeader(name="X-Admin-Key", auto_error=False, description="The operator's key.")

MAX_KEY_LENGTH = 200


def _presented(key: str | None, bearer: HTTPAuthorizationCredentials | None) -> str:
    return key or (bearer.credentials if bearer else "")


async def owner(
    services: ServicesDependency,
    key: Annotated[str | None, Security(_api_key)],
    bearer: Annotated[HTTPAuthorizationCredentials | None, Security(_bearer)],
) -> User:
    """Return the owner of the presented API key, else answer 401."""
    presented = _presented(key, bearer)
    if not presented:
        raise ApiError(
            401, "missing_key", "Missing API key: send it as X-API-Key or as a bearer token.", field="X-API-Key"
        )
    user = await services.users.authenticate(presented) if len(presented) <= MAX_KEY_LENGTH else None
    if user is None:
        raise ApiError(401, "invalid_key", "Invalid API key.", field="X-API-Key")
    return user


def is_admin(services: Services, key: str | None) -> bool:
    """Tell whether this is the operator's key."""
    if not key or services.admin_key_hash is None:
        return False
    return hmac.compare_digest(hashlib.sha256(key.encode()).digest(), services.admin_key_hash)


async def admin(services: ServicesDependency, key: Annotated[str | None, Security(_admin_key)]) -> None:
    """Answer 401 unless the operator's key is presented."""
    if not is_admin(services, key):
        raise ApiError(401, "invalid_admin_key", "Invalid X-Admin-Key", field="X-Admin-Key")


async def owner_or_admin(
    request: Request,
    services: ServicesDependency,
    key: Annotated[str | None, Security(_api_key)],
    bearer: Annotated[HTTPAuthorizationCredentials | None, Security(_bearer)],
    admin_key: Annotated[str | None, Security(_admin_key)],
) -> None:
    """Answer 401 unless the operator's key or any API key is presented."""
    if not is_admin(services, admin_key):
        await owner(services, key, bearer)


Owner = Annotated[User, Depends(owner)]
