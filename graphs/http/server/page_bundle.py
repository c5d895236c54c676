"""The page's modules put together: one script for the frame and what sections share, one for each section.

``web/`` holds some sixty modules, and browsers ask for each by itself. Behind Serve's proxy a request takes some 15 ms,
so that a visit would wait for them longer than for all else. The ingress puts them together when it starts; there is no
build step. Modules may say what these do: imports and exports by name.

In a script each module is a function that is called once, in the order of need, and returns its exports. Doc comments,
a fifth of the code, are left out.
"""

import os
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter

_DOC_COMMENT = re.compile(r"^[ \t]*/\*\*(?:(?!\*/).)*\*/\n", re.MULTILINE | re.DOTALL)
_IMPORT = re.compile(r'^import \{([^}]*)\} from "(\.{1,2}/[\w./-]+)";$', re.MULTILINE)
_RENAMED = re.compile(r"\s+as\s+")
_EXPORT = re.compile(r"^export ((?:async )?function\*?|class|const) ([A-Za-z_$][\w$]*)", re.MULTILINE)
_OTHER = re.compile(r"^(?:import\b|export\b|await\b).*", re.MULTILINE)
_ADDRESS = "import.meta.url"


class UnbundledModuleError(ValueError):
    """A module says what can't be put together; the message names the file and what it says."""


@dataclass(frozen=True)
class Module:
    """One file.

    Attributes:
        path: Below ``web/``.
        needs: Paths of the modules that it imports.
        exports: Names.
        code: Its text, with imports taken from ``modules`` and without ``export``.
    """

    path: str
    needs: tuple[str, ...]
    exports: tuple[str, ...]
    code: str

    @classmethod
    def parse(cls, path: str, source: str) -> "Module":
        """Read a module.

        Raises:
            UnbundledModuleError: It imports or exports otherwise than by name, or waits at its top level.
        """
        folder = os.path.dirname(path)
        needs: list[str] = []

        def taken(found: re.Match[str]) -> str:
            needs.append(os.path.normpath(os.path.join(folder, found[2])))
            names = _RENAMED.sub(": ", found[1])
            return f"const {{{names}}} = modules[{_quoted(needs[-1])}];"

        code = _IMPORT.sub(taken, _DOC_COMMENT.sub("", source))
        exports = tuple(name for _, name in _EXPORT.findall(code))
        code = _EXPORT.sub(r"\1 \2", code)
        if other := _OTHER.search(code):
            raise UnbundledModuleError(f"{path} can't be bundled: {other[0]}")
        return cls(path, tuple(needs), exports, code)

    def within(self, script: str) -> str:
        """Return it as a statement of a script; what asks for the module's own address still gets it."""
        own = os.path.relpath(self.path, os.path.dirname(script))
        code = self.code.replace(_ADDRESS, f"new URL({_quoted(own)}, {_ADDRESS}).href")
        return f"modules[{_quoted(self.path)}] = (() => {{\n{code}\nreturn {{{', '.join(self.exports)}}};\n}})();\n"


def bundle(sources: Mapping[str, str], entry: str, sections: Iterable[str]) -> dict[str, str]:
    """Put modules together.

    Args:
        sources: Texts by path.
        entry: The module that the document loads.
        sections: The modules that it imports when they are first seen.

    Returns:
        The scripts, by the paths of the entry and of the sections. What two sections need is in the entry's.

    Raises:
        UnbundledModuleError: A module can't be put together, is not there, or needs itself.
    """
    modules = {path: Module.parse(path, text) for path, text in sources.items()}
    needed = {section: set(_needed(modules, section)) for section in sections}
    core = set(_needed(modules, entry))
    core |= {
        path
        for one, paths in needed.items()
        for path in paths
        if any(path in needed[two] for two in needed if two != one)
    }
    scripts = {entry: "export const modules = Object.create(null);\n" + _script(modules, core, entry)}
    for section, paths in needed.items():
        frame = _quoted(_relative(entry, section))
        exports = ", ".join(modules[section].exports)
        scripts[section] = (
            f"import {{modules}} from {frame};\n{_script(modules, paths - core, section)}"
            f"export const {{{exports}}} = modules[{_quoted(section)}];\n"
        )
    return scripts


def _needed(modules: Mapping[str, Module], path: str) -> Iterator[str]:
    """Yield a module and all that it needs, whatever the order."""
    seen = {path}
    waiting = [path]
    while waiting:
        path = waiting.pop()
        if path not in modules:
            raise UnbundledModuleError(f"{path} is imported and does not exist")
        yield path
        waiting += (need for need in modules[path].needs if need not in seen)
        seen.update(modules[path].needs)


def _script(modules: Mapping[str, Module], paths: set[str], script: str) -> str:
    order = TopologicalSorter({path: [need for need in modules[path].needs if need in paths] for path in sorted(paths)})
    try:
        return "".join(modules[path].within(script) for path in order.static_order())
    except CycleError as cycle:
        raise UnbundledModuleError(f"modules need each other: {' -> '.join(cycle.args[1])}") from None


def _relative(path: str, script: str) -> str:
    found = os.path.relpath(path, os.path.dirname(script))
    return found if found.startswith(".") else f"./{found}"


def _quoted(path: str) -> str:
    return f'"{path}"'
