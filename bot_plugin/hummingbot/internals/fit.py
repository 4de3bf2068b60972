"""Whether the Hummingbot that is installed has what the plugin relies on; its internals move."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType
from typing import Any

_IMPORTED = re.compile(r"cannot import name '(\w+)'")

TRIED = ("20260922",)
"""The versions of Hummingbot that the plugin was tried with."""


def _version() -> str:
    try:
        return version("hummingbot")
    except PackageNotFoundError:  # run from a source tree
        spec = find_spec("hummingbot")
    if spec is None or spec.origin is None:
        return "unknown"
    try:
        return Path(spec.origin).with_name("VERSION").read_text().strip() or "unknown"
    except OSError:
        return "unknown"


VERSION = _version()
"""Of the Hummingbot that is installed here; ``unknown`` where it does not say."""


class Unfit(Exception):
    """The installed Hummingbot lacks something that the plugin relies on.

    Args:
        missing: what is missing, such as ``trading_core.start_strategy of HummingbotApplication``.
    """

    def __init__(self, missing: str) -> None:
        self.missing = missing
        super().__init__(
            f"this Hummingbot (version {VERSION}) has no {missing}; the plugin was tried with {', '.join(TRIED)}: "
            "install that version, or a newer signal-gateway, and report this line if it stays"
        )


def require(owner: object, path: str) -> Any:
    """The attribute of an object, or of what it has: ``require(app, "trading_core.start_strategy")``.

    Args:
        owner: an object, a class or a module of Hummingbot.
        path: names with dots between them.

    Raises:
        Unfit: naming the first that is missing, and of what.
    """
    found = owner
    names = path.split(".")
    for index, name in enumerate(names):
        try:
            found = getattr(found, name)
        except AttributeError:
            raise Unfit(f"{'.'.join(names[: index + 1])} of {_name(owner)}") from None
    return found


def offers(owner: object, path: str) -> bool:
    """Whether an object has an attribute, where the plugin can do without."""
    try:
        require(owner, path)
    except Unfit:
        return False
    return True


@contextmanager
def importing() -> Iterator[None]:
    """Say of a part of Hummingbot that cannot be imported what ``require`` says of an attribute.

    Raises:
        Unfit: naming it.
    """
    try:
        yield
    except ImportError as error:
        module = error.name or ""
        if module.partition(".")[0] != "hummingbot":
            raise
        name = _IMPORTED.match(str(error))
        raise Unfit(f"{name[1]} in {module}" if name else f"module {module}") from error


def _name(owner: object) -> str:
    if isinstance(owner, ModuleType):
        return owner.__name__
    return owner.__name__ if isinstance(owner, type) else type(owner).__name__
