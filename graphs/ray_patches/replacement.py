"""Replacement of a name in one of Ray's modules, with a check that the module still has and uses it."""

from collections.abc import Iterator, Mapping, Sequence
from inspect import unwrap
from types import CodeType, FunctionType, ModuleType

import ray


class RayChangedError(RuntimeError):
    """The installed Ray no longer has what is to be changed in it; the message names it."""


def replace_class(module: ModuleType, name: str, replacement: type, *, attributes: Sequence[str] = ()) -> None:
    """Put a subclass of one of Ray's classes in its place.

    Args:
        module: The module of Ray that makes instances of the class by its name.
        name: Name of the class in the module.
        replacement: Derives from that class.
        attributes: Names, besides those that the replacement overrides, that it needs its base to have.

    Raises:
        RayChangedError: The module has no such class or no longer uses it, or the class lacks an overridden method or
            one of the attributes.
    """
    where = f"{module.__name__}.{name}"
    if getattr(module, name, None) is replacement:
        return
    base = replacement.__mro__[1]
    if getattr(module, name, None) is not base:
        raise _changed(f"{where} is not {base.__module__}.{base.__qualname__}")
    if not uses(module, name):
        raise _changed(f"nothing in {module.__name__} uses {name}")
    overridden = {key for key, value in vars(replacement).items() if isinstance(value, FunctionType | property)}
    names = _stored(base) | set(dir(base))
    if missing := sorted((overridden | set(attributes)) - names):
        raise _changed(f"{where} has no {', '.join(missing)}")
    setattr(module, name, replacement)


def require_method(owner: type, name: str) -> None:
    """Check that a class of Ray has a method, and that the class's module calls it.

    Raises:
        RayChangedError: It doesn't.
    """
    if not callable(getattr(owner, name, None)):
        raise _changed(f"{owner.__module__}.{owner.__qualname__} has no method {name}")
    if not any(name in code.co_names for code in _codes_of(vars(owner))):
        raise _changed(f"{owner.__module__}.{owner.__qualname__} no longer calls {name}")


def uses(module: ModuleType, name: str) -> bool:
    """Return whether a function or method of the module refers to a global or attribute of this name."""
    return any(name in code.co_names for code in _codes_of(vars(module), module.__name__))


def _changed(what: str) -> RayChangedError:
    return RayChangedError(f"Ray {ray.__version__} has changed: {what}; install the release in constraints.txt")


def _codes_of(namespace: Mapping[str, object], module: str | None = None) -> Iterator[CodeType]:
    """Yield the code of the functions in a namespace, and of the methods of the classes that the module defines."""
    for value in list(namespace.values()):
        # Of a decorated function, the one below the decorators.
        function = unwrap(getattr(value, "__func__", value)) if callable(value) else value
        if isinstance(function, FunctionType):
            yield from _nested(function.__code__)
        elif isinstance(value, type) and module is not None and value.__module__ == module:
            yield from _codes_of(vars(value))


def _nested(code: CodeType) -> Iterator[CodeType]:
    yield code
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _nested(constant)


def _stored(base: type) -> set[str]:
    """Return the names of the attributes that the class's initialiser sets, among the other names in it."""
    initialiser = vars(base).get("__init__")
    return set(initialiser.__code__.co_names) if isinstance(initialiser, FunctionType) else set()
