"""The web page as files: what is served, how it may be kept, and what it may load."""

import gzip
import re
from collections.abc import Iterator

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from graphs.http.routes import page
from graphs.http.server import errors

pytestmark = pytest.mark.unit


@pytest.fixture(scope="module")
def client() -> Iterator[TestClient]:
    app = FastAPI()
    errors.install(app)
    app.include_router(page.router)
    with TestClient(app) as client:
        yield client


def policy(client: TestClient) -> dict[str, list[str]]:
    directives = client.get("/").headers["Content-Security-Policy"].split("; ")
    return {name: sources for name, *sources in (directive.split() for directive in directives)}


def entry() -> str:
    return page.site().assets["app.js"].decode()


def named_files(document: str) -> list[str]:
    return re.findall(r'(?:href|src)="([^"]*page/[^"]+)"', document)


@pytest.mark.parametrize("path", ["/", "/r/", "/r"])
def test_anybody_gets_the_page_at_the_root_and_below_r(client: TestClient, path: str) -> None:
    response = client.get(path)
    assert response.status_code == 200
    assert response.headers["Content-Type"] == "text/html; charset=utf-8"
    assert not re.search(r"{\w+}", response.text)
    assert client.head(path).status_code == 200


def test_the_address_without_a_slash_sends_on_by_a_relative_one(client: TestClient) -> None:
    assert client.get("/r", follow_redirects=False).headers["Location"] == "r/"


@pytest.mark.parametrize(("path", "root"), [("/", "./"), ("/r/", "../")])
def test_the_page_finds_its_files_and_the_api_from_where_it_is(client: TestClient, path: str, root: str) -> None:
    html = client.get(path).text
    assert f'data-root="{root}"' in html
    files = named_files(html)
    assert any(name.endswith("/app.js") for name in files)
    for name in files:
        assert name.startswith(root)
        assert client.get(f"/{name.removeprefix(root)}").status_code == 200, name


def test_a_section_is_one_script_and_one_style_sheet(client: TestClient) -> None:
    sections = re.findall(r'{id: "([^"]+)", name', entry())
    assert len(sections) == 7
    for name in sections:
        for file in ("page.js", "style.css"):
            assert client.get(f"/page/x/{name}/{file}").status_code == 200
        script = client.get(f"/page/x/{name}/page.js").text
        imported = re.findall(r'^import .* from "([^"]+)";$', script, re.MULTILINE)
        assert imported == ["../app.js"]
    assert client.get("/page/x/lib/api.js").status_code == 404


def test_files_of_this_version_are_kept_for_good_and_others_not_at_all(client: TestClient) -> None:
    digest = page.site().digest
    now = client.get(f"/page/{digest}/app.js")
    assert now.headers["Cache-Control"] == "public, max-age=31536000, immutable"
    assert client.get("/page/0123/app.js").headers["Cache-Control"] == "no-store"
    assert client.get("/").headers["Cache-Control"] == "no-cache"


def test_an_unchanged_page_is_not_sent_again(client: TestClient) -> None:
    etag = client.get("/").headers["ETag"]
    again = client.get("/", headers={"If-None-Match": etag})
    assert (again.status_code, again.content) == (304, b"")
    assert client.get("/", headers={"If-None-Match": '"another"'}).status_code == 200


def test_files_are_packed_for_who_can_unpack_them(client: TestClient) -> None:
    path = f"/page/{page.site().digest}/style.css"
    with client.stream("GET", path, headers={"Accept-Encoding": "gzip"}) as response:
        raw = b"".join(response.iter_raw())
    plain = client.get(path, headers={"Accept-Encoding": "identity"})
    assert response.headers["Content-Encoding"] == "gzip"
    assert gzip.decompress(raw) == plain.content
    assert len(raw) < len(plain.content) / 2
    assert "Content-Encoding" not in plain.headers
    assert plain.headers["Vary"] == response.headers["Vary"] == "Accept-Encoding"


@pytest.mark.parametrize(
    "path",
    ["/page/x/none.js", "/page/x/__init__.py", "/page/x/index.html", "/page/x/../__init__.py", "/page/x/%2e%2e/x"],
)
def test_there_is_nothing_else_to_be_had(client: TestClient, path: str) -> None:
    assert client.get(path).status_code == 404


def test_nothing_else_is_loaded_or_called(client: TestClient) -> None:
    allowed = policy(client)
    assert allowed["default-src"] == allowed["base-uri"] == allowed["form-action"] == ["'none'"]
    assert allowed["script-src"] == allowed["style-src"] == allowed["connect-src"] == ["'self'"]
    assert allowed["frame-ancestors"] == allowed["trusted-types"] == ["'none'"]
    assert allowed["require-trusted-types-for"] == ["'script'"]
    found = page.site()
    texts = {"index.html": found.document("./")} | {name: body.decode() for name, body in found.assets.items()}
    for name, text in texts.items():
        code = re.sub(r"https://(html\.spec\.whatwg|www\.w3)\.org|http://www\.w3\.org/2000/svg", "", text)
        assert not re.search(r"https?://|@import|url\(", code), name
        assert not re.search(r'innerHTML|outerHTML|document\.write|\beval\(|new Function|\son\w+="|\sstyle="', code), (
            name
        )


@pytest.mark.parametrize("path", ["/", "/page/x/app.js"])
def test_browsers_are_told_to_be_careful(client: TestClient, path: str) -> None:
    headers = client.get(path).headers
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Referrer-Policy"] == "no-referrer"
    assert headers["Cross-Origin-Opener-Policy"] == "same-origin"


def test_who_works_on_the_page_sees_changes_without_a_restart(monkeypatch: pytest.MonkeyPatch) -> None:
    assert page.site() is page.site()
    monkeypatch.setenv(page.RELOAD_VARIABLE, "1")
    assert page.site() is not page.site()
