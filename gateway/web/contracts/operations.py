"""What an operation of a listener is: how it is asked, and every answer that it can give."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from marshmallow import Schema

from schemas.export import Document

JSON = "application/json"
TEXT = "text/plain"
NDJSON = "application/x-ndjson"


@dataclass(frozen=True, slots=True, kw_only=True)
class Parameter:
    """Something that a request may say besides its body.

    Args:
        place: ``path``, ``query`` or ``header``.
        schema: what it may be.
    """

    name: str
    place: str
    schema: Document
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """An answer that is no problem.

    Args:
        text: what it means.
        schema: its body; None for one that has none, or no form.
        content: its content types; empty for no body.
        listed: whether it may also be an array of that body.
        lines: what each line is, where it may also be NDJSON; empty where it may not.
    """

    text: str
    schema: type[Schema] | None = None
    content: tuple[str, ...] = (JSON,)
    listed: bool = False
    lines: tuple[type[Schema], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Body:
    """The body of a request.

    Args:
        schema: what it is; None for anything.
        content: the content types that it comes with.
        closed: whether a name that the schema does not have is refused.
        listed: how many of that may also come as an array; 0 for none.
        lines: whether it may also be NDJSON, with that on each line.
        example: one that is right, as JSON; None where none is shown.
    """

    schema: type[Schema] | None = None
    content: tuple[str, ...] = (JSON,)
    text: str = ""
    closed: bool = False
    listed: int = 0
    lines: bool = False
    example: Document | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """A method of an address.

    Args:
        name: the operation's own name.
        route: what the listener and the metrics call the address.
        path: with its parameters in braces.
        problems: the codes of the problems that it can answer with.
        secrets: by which of the document's security schemes it opens; none where everybody may.
    """

    name: str
    route: str
    path: str
    summary: str
    answers: Mapping[int, Answer]
    method: str = "get"
    parameters: tuple[Parameter, ...] = ()
    body: Body | None = None
    problems: tuple[str, ...] = ()
    secrets: tuple[str, ...] = ("key",)


def in_path(name: str, text: str, *, schema: Document | None = None) -> Parameter:
    """A part of the address."""
    return Parameter(name=name, place="path", schema=schema or {"type": "string", "minLength": 1}, text=text)


def in_query(name: str, text: str, **schema: object) -> Parameter:
    """Something behind the question mark; never required."""
    return Parameter(name=name, place="query", schema=dict(schema), text=text)


def in_header(name: str, text: str, **schema: object) -> Parameter:
    """A header; never required."""
    return Parameter(name=name, place="header", schema={"type": "string", **schema}, text=text)
