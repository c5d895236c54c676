"""The web page: the files of ``web/``, for anybody; what they ask of the API needs a key."""

import gzip
import hashlib
import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from importlib.resources.abc import Traversable

from fastapi import APIRouter, Request, Response
from fastapi.responses import RedirectResponse

from graphs.common.errors import ApiError
from graphs.http.server.page_bundle import bundle

router = APIRouter(include_in_schema=False)

RELOAD_VARIABLE = "VOICEGRAPH_PAGE_RELOAD"

_MEDIA_TYPES = {
    "css": "text/css; charset=utf-8",
    "js": "text/javascript; charset=utf-8",
    "svg": "image/svg+xml",
}
_INDEX = "index.html"
_ENTRY = "app.js"
_SECTION = re.compile(r'{id: "([\w-]+)", name: ')
_WORKLET = ".worklet.js"

# Scripts and styles are files of this origin and nothing else: a text that found its way into the page could neither
# run nor load anything, nor send the key anywhere.
_POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' blob: data:",
        "media-src 'self' blob:",
        "connect-src 'self'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
        "require-trusted-types-for 'script'",
        "trusted-types 'none'",
    )
)
_SAFETY = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}


@dataclass(frozen=True)
class Site:
    """The page's files.

    Attributes:
        digest: Changes with any of them; part of their addresses, so that browsers may keep them for good.
        index: The document, with ``{root}`` and ``{digest}`` still in it.
        assets: Contents of the others, by path. Modules are put together: one script for the frame, one for each
            section.
    """

    digest: str
    index: str
    assets: Mapping[str, bytes]

    @classmethod
    def read(cls) -> "Site":
        """Read the files of the package ``web``."""
        assets = dict(_read(files("web"), ""))
        index = assets.pop(_INDEX).decode()
        modules = [path for path in assets if path.endswith(".js") and not path.endswith(_WORKLET)]
        sources = {path: assets.pop(path).decode() for path in modules}
        sections = (f"{name}/page.js" for name in _SECTION.findall(sources[_ENTRY]))
        assets |= {path: script.encode() for path, script in bundle(sources, _ENTRY, sections).items()}
        digest = hashlib.sha256(index.encode())
        for path, body in sorted(assets.items()):
            digest.update(f"{path}\0{len(body)}\0".encode() + body)
        return cls(digest.hexdigest()[:16], index, assets)

    def document(self, root: str) -> str:
        """Return the document for an address from which the API's root is ``root``."""
        return self.index.replace("{root}", root).replace("{digest}", self.digest)


def _read(folder: Traversable, prefix: str) -> Iterator[tuple[str, bytes]]:
    for entry in folder.iterdir():
        path = f"{prefix}{entry.name}"
        if entry.is_dir():
            yield from _read(entry, f"{path}/")
        elif path == _INDEX or path.rpartition(".")[2] in _MEDIA_TYPES:
            yield path, entry.read_bytes()


@cache
def _site_of_this_process() -> Site:
    return Site.read()


def site() -> Site:
    """Return the page; read once, or anew each time for who is working on it (``VOICEGRAPH_PAGE_RELOAD=1``)."""
    return Site.read() if os.environ.get(RELOAD_VARIABLE) == "1" else _site_of_this_process()


@cache
def _packed(body: bytes) -> bytes:
    return gzip.compress(body, 9, mtime=0)


def _answer(request: Request, body: bytes, media_type: str, headers: Mapping[str, str]) -> Response:
    sent = {**_SAFETY, **headers, "Vary": "Accept-Encoding", "Content-Type": media_type}
    if "gzip" in request.headers.get("accept-encoding", ""):
        return Response(_packed(body), headers={**sent, "Content-Encoding": "gzip"})
    return Response(body, headers=sent)


def _document(request: Request, root: str) -> Response:
    body = site().document(root).encode()
    etag = f'"{hashlib.sha256(body).hexdigest()[:16]}"'
    headers = {"Content-Security-Policy": _POLICY, "Cache-Control": "no-cache", "ETag": etag}
    if etag in request.headers.get("if-none-match", ""):
        return Response(status_code=304, headers={**_SAFETY, **headers})
    return _answer(request, body, "text/html; charset=utf-8", headers)


@router.api_route("/", methods=["GET", "HEAD"])
def index(request: Request) -> Response:
    """Return the page."""
    return _document(request, "./")


@router.api_route("/r/", methods=["GET", "HEAD"])
def index_below(request: Request) -> Response:
    """Return the page where the talking avatar's clients look for it; the API is one level up."""
    return _document(request, "../")


@router.api_route("/r", methods=["GET", "HEAD"])
def index_without_slash() -> RedirectResponse:
    """Send to the address that the page's own relative ones are right below; so does this one, behind any prefix."""
    return RedirectResponse("r/", 308)


@router.api_route("/page/{digest}/{path:path}", methods=["GET", "HEAD"])
def asset(request: Request, digest: str, path: str) -> Response:
    """Return one of the page's files; for good where the digest is this version's."""
    found = site()
    body = found.assets.get(path)
    if body is None:
        raise ApiError(404, "not_found", "Not Found")
    lasting = "public, max-age=31536000, immutable" if digest == found.digest else "no-store"
    return _answer(request, body, _MEDIA_TYPES[path.rpartition(".")[2]], {"Cache-Control": lasting})
