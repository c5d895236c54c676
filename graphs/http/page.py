"""The web page: one file without anything from another host, for anybody; what it asks of the API needs a key."""

import base64
import hashlib
import re
from functools import cache
from importlib.resources import files

from fastapi import APIRouter
from fastapi.responses import HTMLResponse, RedirectResponse

router = APIRouter(include_in_schema=False)


@cache
def page() -> tuple[str, dict[str, str]]:
    """Return the page and the headers that it is sent with.

    Its own style and script run, known by their hashes, and nothing else: a text that found its way into the page could
    neither run nor load anything, nor send the key anywhere.
    """
    html = files("graphs.http").joinpath("page.html").read_text(encoding="utf-8")
    policy = "; ".join(
        (
            "default-src 'none'",
            f"script-src {_hashes(html, 'script')}",
            f"style-src {_hashes(html, 'style')}",
            "img-src 'self' blob: data:",
            "media-src 'self' blob:",
            "connect-src 'self'",
            "base-uri 'none'",
            "form-action 'none'",
            "frame-ancestors 'none'",
            "require-trusted-types-for 'script'",
        )
    )
    return html, {
        "Content-Security-Policy": policy,
        "X-Content-Type-Options": "nosniff",
        "Referrer-Policy": "no-referrer",
        "Cross-Origin-Opener-Policy": "same-origin",
        "Cache-Control": "no-cache",
    }


def _hashes(html: str, element: str) -> str:
    bodies = re.findall(rf"<{element}>(.*?)</{element}>", html, re.DOTALL)
    digests = (hashlib.sha256(body.encode()).digest() for body in bodies)
    return " ".join(f"'sha256-{base64.b64encode(digest).decode()}'" for digest in digests)


@router.api_route("/", methods=["GET", "HEAD"])
@router.api_route("/r/", methods=["GET", "HEAD"])
async def index() -> HTMLResponse:
    """Return the page; it finds the API beside itself, at the root and below /r/ alike."""
    html, headers = page()
    return HTMLResponse(html, headers=headers)


@router.api_route("/r", methods=["GET", "HEAD"])
async def index_below() -> RedirectResponse:
    """Send to the address that the page's own relative ones are right below; so does this one, behind any prefix."""
    return RedirectResponse("r/", 308)
