"""Presigned URLs of a directory: query parameters under an HMAC, checked by whoever serves the route."""

import hashlib
import hmac
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from urllib.parse import quote, urlencode

from storage.objects.errors import Expired, InvalidSignature

ROUTE = "/v1/objects/"
"""The path under which the ingress serves a directory's presigned URLs, before the key."""


@dataclass(frozen=True)
class Grant:
    """The request that a presigned URL allows.

    Attributes:
        max_bytes: The largest body of a PUT; None means no limit.
        content_type: For a PUT the ``Content-Type`` that the request must carry; for a GET the one to answer
            with, instead of the stored one.
        filename: The name under which the answer of a GET is to be saved.
    """

    max_bytes: int | None
    content_type: str | None
    filename: str | None


def signed_url(secret: bytes, public_url: str, key: str, method: str, expires_at: datetime, grant: Grant) -> str:
    """Return the URL that carries a grant for one key and one method until a time (whole seconds)."""
    params = {"method": method, "expires": str(int(expires_at.timestamp()))}
    if grant.max_bytes is not None:
        params["max_bytes"] = str(grant.max_bytes)
    if grant.content_type is not None:
        params["content_type"] = grant.content_type
    if grant.filename is not None:
        params["filename"] = grant.filename
    params["signature"] = _signature(secret, key, params)
    return f"{public_url}{ROUTE}{quote(key)}?{urlencode(params)}"


def verified(secret: bytes, key: str, params: Mapping[str, str], method: str, now: datetime) -> Grant:
    """Return the grant of a URL's key and query parameters.

    Raises:
        InvalidSignature: A parameter is missing, added or altered, or the URL is for another key or method.
        Expired: The URL was right and its time has passed.
    """
    signed = {name: value for name, value in params.items() if name != "signature"}
    # Bytes, since compare_digest refuses text outside ASCII.
    given = params.get("signature", "").encode(errors="replace")
    if not hmac.compare_digest(_signature(secret, key, signed).encode(), given):
        raise InvalidSignature("the URL's signature is missing or wrong")
    if signed["method"] != method:
        raise InvalidSignature(f"the URL is signed for {signed['method']}, not for {method}")
    if now.timestamp() >= int(signed["expires"]):
        raise Expired("the URL has expired")
    limit = signed.get("max_bytes")
    return Grant(
        max_bytes=None if limit is None else int(limit),
        content_type=signed.get("content_type"),
        filename=signed.get("filename"),
    )


def _signature(secret: bytes, key: str, params: Mapping[str, str]) -> str:
    # JSON parts the values beyond doubt, whatever characters they hold.
    message = json.dumps([key, sorted(params.items())])
    return hmac.new(secret, message.encode(), hashlib.sha256).hexdigest()
