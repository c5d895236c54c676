"""The web page, by its text."""

import base64
import hashlib
import re
from collections.abc import Iterator

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from graphs.http import page, talking_avatar_errors

pytestmark = pytest.mark.unit


@pytest.fixture(scope="module")
def client() -> Iterator[TestClient]:
    app = FastAPI()
    app.include_router(page.router)
    with TestClient(app) as client:
        yield client


def policy(client: TestClient) -> dict[str, list[str]]:
    directives = client.get("/").headers["Content-Security-Policy"].split("; ")
    return {name: sources for name, *sources in (directive.split() for directive in directives)}


@pytest.mark.parametrize("path", ["/", "/r/", "/r"])
def test_anybody_gets_the_page_at_the_root_and_below_r(client: TestClient, path: str) -> None:
    response = client.get(path)
    assert response.status_code == 200
    assert response.headers["Content-Type"] == "text/html; charset=utf-8"
    assert response.text == page.page()[0]
    assert client.head(path).status_code == 200


def test_the_address_without_a_slash_sends_on_by_a_relative_one(client: TestClient) -> None:
    assert client.get("/r", follow_redirects=False).headers["Location"] == "r/"


@pytest.mark.parametrize("element", ["script", "style"])
def test_its_own_script_and_style_are_all_that_may_run(client: TestClient, element: str) -> None:
    bodies = re.findall(rf"<{element}[^>]*>(.*?)</{element}>", client.get("/").text, re.DOTALL)
    digests = [base64.b64encode(hashlib.sha256(body.encode()).digest()).decode() for body in bodies]
    assert policy(client)[f"{element}-src"] == [f"'sha256-{digest}'" for digest in digests]
    assert len(bodies) == 1


def test_nothing_else_is_loaded_or_called(client: TestClient) -> None:
    allowed = policy(client)
    assert allowed["default-src"] == allowed["base-uri"] == allowed["form-action"] == ["'none'"]
    assert allowed["connect-src"] == ["'self'"]
    assert allowed["frame-ancestors"] == ["'none'"]
    html = client.get("/").text
    assert not re.search(r"https?://|//\w+\.|<link[^>]+stylesheet|<script[^>]+src|@import|url\(", html)
    assert not re.search(r'\son\w+="|\sstyle="|innerHTML|document\.write|\beval\(', html)


def test_it_asks_for_the_api_beside_itself(client: TestClient) -> None:
    asked = re.findall(r'\bask\("([^"]+)"', client.get("/").text)
    assert sorted(set(asked)) == ["api/avatar", "api/generate"]


def test_what_it_says_is_there_in_both_languages(client: TestClient) -> None:
    html = client.get("/").text
    english, russian = re.search(r"  en: \{(.*?)\n  \},\n  ru: \{(.*?)\n  \},", html, re.DOTALL).groups()  # type: ignore[union-attr]
    names = [set(re.findall(r'\b(\w+): "', words)) for words in (english, russian)]
    used = set(re.findall(r'data-say="(\w+)"', html)) | set(re.findall(r"\bwords\.(\w+)", html))
    assert names[0] == names[1]
    assert used <= names[0]
    assert names[0] - used == set()


def test_what_the_api_may_say_to_it_is_known_in_english(client: TestClient) -> None:
    known = re.search(r"const IN_ENGLISH = \{(.*?)\n\};", client.get("/").text, re.DOTALL)
    assert known is not None
    sentences = {text[1:-1] for text in re.findall(r"^  (\".*?\"|'.*?'): \"", known[1], re.MULTILINE)}
    assert set(talking_avatar_errors._TEXTS.values()) <= sentences
    assert {talking_avatar_errors.MISSING_TEXT, talking_avatar_errors._FAULT} <= sentences


def test_its_limit_on_the_text_is_the_servers(client: TestClient) -> None:
    html = client.get("/").text
    assert 'id="text" rows="6" maxlength="1000"' in html
    assert re.findall(r'name="language" value="(\w+)"', html) == ["ru", "kk", "en"]
