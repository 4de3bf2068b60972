"""The YAML file as plain texts, lists and mappings, with the line of every key.

Scalars stay texts, so that ``no`` is no boolean and ``1:30`` no number, and a variable is read like a line of the file.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path as File
from typing import Any

import yaml
from yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from gateway.config.errors import ConfigError, Problem

Path = tuple[str, ...]
"""A key's place in the document: ``("http", "public", "port")``; an index is a number as text."""

_NULLS = frozenset({"", "~", "null", "Null", "NULL"})
_TAGS = frozenset(f"tag:yaml.org,2002:{kind}" for kind in ("str", "map", "seq"))


@dataclass(frozen=True, slots=True)
class Document:
    """A configuration as it was written.

    Args:
        file: the file as the user named it.
        data: texts, lists and mappings; keys without a value are left out.
        places: the line, or the variable, of every key.
        problems: what was wrong with the writing itself.
    """

    file: str
    data: dict[str, Any] = field(default_factory=dict)
    places: dict[Path, str] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)

    def place(self, path: Path) -> str:
        """Where a key stands; for one that is not there, the nearest key around it."""
        while path not in self.places and path:
            path = path[:-1]
        return self.places.get(path, self.file)

    def found(self, path: Path) -> str | None:
        """The text of a key's value; None where it is absent or more than a text."""
        value: Any = self.data
        for step in path:
            if isinstance(value, list):
                value = value[int(step)] if step.isdecimal() and int(step) < len(value) else None
            else:
                value = value.get(step) if isinstance(value, Mapping) else None
        return value[:80] if isinstance(value, str) else None

    def complain(self, path: Path, problem: str, *, found: str | None = None) -> None:
        """Note a problem with a key."""
        self.problems.append(Problem(place=self.place(path), key=dotted(path), problem=problem, found=found))


def dotted(path: Path) -> str:
    """``sources.tv.hummingbot.bots[2]``."""
    return "".join(f"[{step}]" if step.isdecimal() else f".{step}" for step in path).removeprefix(".")


def read_file(file: File) -> Document:
    """Read a file.

    Raises:
        ConfigError: there is no such file, it cannot be read, or it is not YAML.
    """
    try:
        text = file.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        raise _unusable(
            str(file), "there is no such file: name the right folder with --data, or make it with signal-gateway init"
        ) from None
    except UnicodeDecodeError as error:
        raise _unusable(str(file), f"byte {error.start} is not UTF-8: save the file as UTF-8") from None
    except OSError as error:
        raise _unusable(str(file), f"cannot be read: {error.strerror}") from None
    return read(text, file=str(file))


def read(text: str, *, file: str) -> Document:
    """Read a text; duplicate keys, aliases and tags become problems of the document.

    Raises:
        ConfigError: the text is not YAML, or not a mapping.
    """
    try:
        root = yaml.compose(text, Loader=yaml.BaseLoader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = mark.line + 1 if mark else 1
        raise _unusable(f"{file}:{line}", f"is not YAML: {error.problem or error.context}") from None
    except yaml.YAMLError as error:
        raise _unusable(file, f"is not YAML: {str(error).splitlines()[0]}") from None
    except RecursionError:
        raise _unusable(file, "is nested too deeply") from None
    return _Reader(file).document(root)


def _unusable(place: str, problem: str) -> ConfigError:
    return ConfigError([Problem(place=place, key="", problem=problem)])


def _is_null(node: Node) -> bool:
    return isinstance(node, ScalarNode) and not node.style and node.value in _NULLS


class _Reader:
    """Turns nodes into values. A node that is met again is an alias, which may also be endless."""

    def __init__(self, file: str) -> None:
        self._document = Document(file)
        self._met: set[int] = set()

    def document(self, root: Node | None) -> Document:
        if root is None or _is_null(root):
            return self._document
        if not isinstance(root, MappingNode):
            raise _unusable(f"{self._document.file}:{root.start_mark.line + 1}", "is not a mapping of settings")
        self._document.data.update(self._mapping(root, ()))
        return self._document

    def _value(self, node: Node, path: Path) -> Any:
        self._document.places.setdefault(path, self._line(node))
        if id(node) in self._met:
            self._document.complain(path, "is an alias: write the value again")
            return None
        self._met.add(id(node))
        if node.tag not in _TAGS:
            self._document.complain(path, "has a YAML tag (!...), which settings do not")
            return None
        if isinstance(node, MappingNode):
            return self._mapping(node, path)
        if isinstance(node, SequenceNode):
            return [self._value(item, (*path, str(index))) for index, item in enumerate(node.value)]
        return None if _is_null(node) else node.value

    def _mapping(self, node: MappingNode, path: Path) -> dict[str, Any]:
        values: dict[str, Any] = {}
        seen: set[str] = set()
        for key, inner in node.value:
            if not isinstance(key, ScalarNode):
                self._document.complain(path, f"has a key in line {key.start_mark.line + 1} that is not a text")
                continue
            below = (*path, key.value)
            if key.value in seen:
                self._duplicate(key, below)
                continue
            seen.add(key.value)
            self._document.places[below] = self._line(key)
            value = self._value(inner, below)
            if value is not None:
                values[key.value] = value
        return values

    def _duplicate(self, key: ScalarNode, path: Path) -> None:
        first = self._document.places[path].rpartition(":")[2]
        problem = f"is there twice, first in line {first}: keep one"
        self._document.problems.append(Problem(place=self._line(key), key=dotted(path), problem=problem))

    def _line(self, node: Node) -> str:
        return f"{self._document.file}:{node.start_mark.line + 1}"
