"""The page's modules put together: run by a JavaScript engine where there is one, and what is refused."""

import json
import re
import shutil
import subprocess
from importlib.resources import files
from pathlib import Path

import pytest

from graphs.http.routes.page import Site
from graphs.http.server.page_bundle import UnbundledModuleError, bundle

pytestmark = pytest.mark.unit

SOURCES = {
    "app.js": (
        'import {count} from "./lib/counter.js";\n'
        "export const open = (name) => import(`./${name}/page.js`);\n"
        "export const counted = () => count();\n"
    ),
    "lib/counter.js": (
        "/** Counts. */\nlet last = 0;\nexport function count() {\n  return ++last;\n}\n"
        "export async function later() {\n  return last;\n}\n"
        "export function* all() {\n  yield last;\n}\nexport class Counter {}\n"
    ),
    "lib/shared.js": (
        'import {\n  count as step,\n  Counter,\n} from "./counter.js";\n'
        "export const both = () => [step(), new Counter()];\n"
    ),
    "lib/address.js": "export const own = () => import.meta.url;\n",
    "one/page.js": (
        'import {both} from "../lib/shared.js";\nimport {own} from "../lib/address.js";\n'
        'import {words} from "./words.js";\nexport const mount = () => [both()[0], own(), words];\n'
    ),
    "one/words.js": 'export const words = "of one";\n',
    "two/page.js": (
        'import {both} from "../lib/shared.js";\nexport async function mount() {\n  return both()[0];\n}\n'
    ),
}
SECTIONS = ("one/page.js", "two/page.js")


def test_each_module_is_in_one_script_and_what_sections_share_in_the_frames() -> None:
    scripts = bundle(SOURCES, "app.js", SECTIONS)
    assert list(scripts) == ["app.js", *SECTIONS]
    homes = {path: [name for name, script in scripts.items() if f'modules["{path}"] = ' in script] for path in SOURCES}
    assert homes == {
        "app.js": ["app.js"],
        "lib/counter.js": ["app.js"],
        "lib/shared.js": ["app.js"],
        "lib/address.js": ["one/page.js"],
        "one/page.js": ["one/page.js"],
        "one/words.js": ["one/page.js"],
        "two/page.js": ["two/page.js"],
    }


def test_doc_comments_stay_behind() -> None:
    source = (
        '/**\n * Says.\n * @import {Text} from "./types.js"\n */\n\nexport const said = /** @type {string} */ (1);\n'
    )
    script = bundle({"app.js": source}, "app.js", ())["app.js"]
    assert "Says" not in script and "@import" not in script
    assert "const said = /** @type {string} */ (1);" in script


@pytest.mark.slow
def test_the_scripts_do_what_the_modules_did(tmp_path: Path) -> None:
    node = shutil.which("node")
    if node is None:
        pytest.skip("there is no Node.js here; the tests of the page run the scripts in Chromium")
    results = []
    for folder, texts in (("modules", SOURCES), ("scripts", bundle(SOURCES, "app.js", SECTIONS))):
        root = tmp_path / folder
        for path, text in texts.items():
            (root / path).parent.mkdir(parents=True, exist_ok=True)
            (root / path).write_text(text)
        (root / "package.json").write_text('{"type": "module"}')
        (root / "main.js").write_text(
            "const frame = await import('./app.js');\n"
            "const opened = frame.open ?? frame.modules['app.js'].open;\n"
            "const counted = frame.counted ?? frame.modules['app.js'].counted;\n"
            "const one = (await opened('one')).mount();\nconst two = await (await opened('two')).mount();\n"
            "console.log(JSON.stringify([counted(), one, two]));\n"
        )
        done = subprocess.run([node, root / "main.js"], check=True, capture_output=True, text=True)
        results.append(json.loads(done.stdout.replace(root.as_uri(), "")))
    assert results[0] == results[1] == [3, [1, "/lib/address.js", "of one"], 2]


@pytest.mark.parametrize(
    "line",
    [
        'import words from "./words.js";',
        'import * as words from "./words.js";',
        'import "./words.js";',
        "export let count = 0;",
        "export default function () {}",
        'export {count} from "./words.js";',
        "await ready();",
    ],
)
def test_what_a_module_may_not_say_is_named_with_its_file(line: str) -> None:
    with pytest.raises(UnbundledModuleError, match=re.escape(f"lib/x.js can't be bundled: {line}")):
        bundle({"lib/x.js": line, "lib/words.js": ""}, "lib/x.js", ())


def test_modules_that_need_each_other_or_are_not_there_are_named() -> None:
    with pytest.raises(UnbundledModuleError, match=r"none\.js is imported and does not exist"):
        bundle({"app.js": 'import {x} from "./none.js";'}, "app.js", ())
    circle = {
        "app.js": 'import {b} from "./b.js";\nexport const a = 1;',
        "b.js": 'import {a} from "./app.js";\nexport const b = 1;',
    }
    with pytest.raises(UnbundledModuleError, match=r"app\.js -> b\.js -> app\.js|b\.js -> app\.js -> b\.js"):
        bundle(circle, "app.js", ())


def test_every_module_of_the_page_is_in_exactly_one_script() -> None:
    assets = Site.read().assets
    scripts = "".join(body.decode() for path, body in assets.items() if path.endswith(".js"))
    folders = [folder for folder in files("web").iterdir() if folder.is_dir() and folder.name != "__pycache__"]
    assert len(folders) == 8
    for folder in folders:
        for entry in folder.iterdir():
            if entry.name.endswith(".js") and not entry.name.endswith(".worklet.js"):
                assert scripts.count(f'modules["{folder.name}/{entry.name}"] = ') == 1, entry.name
