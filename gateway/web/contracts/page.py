"""The contract as a page that needs nothing but itself: no script, and nothing from elsewhere."""

from __future__ import annotations

import hashlib
import json
import re
from base64 import b64encode
from collections.abc import Iterable, Iterator, Mapping
from html import escape
from typing import Any

from gateway.web.contracts.types import kind
from schemas.export import Document

_STYLE = """
:root { color-scheme: light dark; font: 16px/1.5 system-ui, sans-serif; }
body { max-width: 68rem; margin: 0 auto; padding: 1rem; }
h2 { margin-top: 3rem; } h3 { margin: 2rem 0 0; overflow-wrap: anywhere; }
code, pre { font-family: ui-monospace, monospace; font-size: .9em; overflow-wrap: anywhere; }
pre { white-space: pre-wrap; margin: 0 0 1rem; padding: 0 .5rem; }
table { border-collapse: collapse; width: 100%; margin: .5rem 0 1rem; }
th, td { border-bottom: 1px solid color-mix(in srgb, currentColor 25%, transparent); padding: .25rem .5rem;
  text-align: left; vertical-align: top; overflow-wrap: break-word; }
th { font-weight: 600; } caption { text-align: left; font-weight: 600; padding: .25rem .5rem; }
summary { cursor: pointer; } details { display: inline-block; vertical-align: top; }
.method { display: inline-block; min-width: 4rem; }
@media (max-width: 48rem) { table { display: block; overflow-x: auto; } }
"""
_HASH = b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()
POLICY = f"default-src 'none'; style-src 'sha256-{_HASH}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
"""The page's Content-Security-Policy: its own style, and nothing else."""

_INTRODUCTION = (
    "What programs can rely on in version 1. A reader ignores fields that it does not know, and takes `null` for"
    " absent. A gateway whose topics have another root than those here tells them in its own `asyncapi.json`."
)


def page(documents: Mapping[str, Document]) -> bytes:
    """Show every document."""
    parts = [
        *_listener("public", "Public listener", documents["openapi-public.json"]),
        *_listener("private", "Private listener", documents["openapi.json"]),
        *_topics(documents["asyncapi.json"]),
        *_schemas(documents),
    ]
    return "".join((*_head(), *parts, "</main></body></html>\n")).encode()


def _head() -> Iterator[str]:
    yield '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
    yield '<meta name="viewport" content="width=device-width, initial-scale=1">'
    yield f"<title>signal-gateway: contracts</title><style>{_STYLE}</style></head><body><main>"
    yield f"<h1>signal-gateway: contracts</h1><p>{_words(_INTRODUCTION)}</p><nav><ul>"
    for place, title in (
        ("public", "Public listener"),
        ("private", "Private listener"),
        ("topics", "Topics"),
        ("schemas", "Schemas"),
    ):
        yield f'<li><a href="#{place}">{title}</a></li>'
    yield "</ul></nav>"


def _listener(place: str, title: str, document: Document) -> Iterator[str]:
    yield f'<h2 id="{place}">{title}</h2><p>{_words(document["info"]["description"])}</p>'
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            yield f'<h3><span class="method">{method.upper()}</span> <code>{escape(path)}</code></h3>'
            secrets = " or ".join(_code(name) for one in operation.get("security", ()) for name in one)
            needed = f"Needs: {secrets}. " if secrets else ""
            yield f"<p>{_words(operation['summary'])} {needed}{_words(operation.get('description', ''))}</p>"
            yield from _asked(operation)
            yield from _answers(operation["responses"], document["components"]["responses"])


def _asked(operation: Document) -> Iterator[str]:
    parameters = operation.get("parameters", ())
    if parameters:
        yield _table(
            "Parameters",
            ("name", "in", "what", "meaning"),
            ([_code(one["name"]), one["in"], kind(one["schema"]), _words(one["description"])] for one in parameters),
        )
    body = operation.get("requestBody")
    if body:
        contents = ", ".join(_code(content) for content in body["content"])
        first = next(iter(body["content"].values()))
        schema = first["schema"]
        yield f"<p>Body: {kind(schema)} as {contents}. {_words(body.get('description', ''))}</p>"
        yield from _fields(schema)
        if "example" in first:
            yield f"<pre>{escape(json.dumps(first['example'], indent=1))}</pre>"


def _answers(responses: Mapping[str, Document], named: Mapping[str, Document]) -> Iterator[str]:
    rows = []
    for status, given in responses.items():
        response = named[given["$ref"].rpartition("/")[2]] if "$ref" in given else given
        rows.append([status, _words(response["description"]), _content(response.get("content", {}))])
    yield _table("Answers", ("status", "meaning", "body"), rows)


def _content(content: Mapping[str, Document]) -> str:
    """What a body may be; of NDJSON its description tells."""
    told = (_words(one["schema"].get("description", "")) or kind(one["schema"]) for one in content.values())
    return "<br>".join(dict.fromkeys(told))


def _topics(document: Document) -> Iterator[str]:
    yield f'<h2 id="topics">Topics</h2><p>{_words(document["info"]["description"])}</p>'
    messages, operations = document["components"]["messages"], document["operations"].values()
    rows = []
    for name, channel in document["channels"].items():
        (operation,) = (one for one in operations if one["channel"]["$ref"] == f"#/channels/{name}")
        who = {"send": "publishes", "receive": "reads"}[operation["action"]]
        retained = ", retained" if operation["bindings"]["mqtt"]["retain"] else ""
        payloads = ", ".join(kind(messages[message]["payload"]) for message in channel["messages"])
        rows.append([_code(channel["address"]), f"{who}{retained}", payloads, _words(channel["description"])])
    yield _table("What goes where", ("topic", "the gateway", "payload", "meaning"), rows)
    parameters = document["components"]["parameters"].items()
    told = ([_code(f"{{{name}}}"), _words(one["description"])] for name, one in parameters)
    yield _table("In the topics", ("name", "meaning"), told)


def _schemas(documents: Mapping[str, Document]) -> Iterator[str]:
    yield '<h2 id="schemas">Schemas</h2>'
    named = [document["components"]["schemas"] for document in documents.values() if "components" in document]
    shown = {name: schema for schemas in named for name, schema in schemas.items()}
    for name, schema in sorted(shown.items(), key=lambda item: item[0].lower()):
        yield f'<h3 id="schema-{escape(name)}">{escape(name)}</h3><p>{_words(schema.get("description", ""))}</p>'
        yield from _fields(schema)


def _fields(schema: Document) -> Iterator[str]:
    properties = schema.get("properties")
    if properties:
        required = set(schema.get("required", ()))
        rows = (
            [_code(name), "yes" if name in required else "", kind(one), _words(one.get("description", ""))]
            for name, one in properties.items()
        )
        yield _table("", ("field", "required", "what", "meaning"), rows)


def _table(caption: str, heads: Iterable[str], rows: Iterable[list[str]]) -> str:
    title = f"<caption>{escape(caption)}</caption>" if caption else ""
    head = "".join(f'<th scope="col">{escape(text)}</th>' for text in heads)
    body = "".join(f"<tr>{''.join(f'<td>{cell}</td>' for cell in row)}</tr>" for row in rows)
    return f"<table>{title}<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def _words(text: str) -> str:
    return re.sub(r"`([^`]+)`", r"<code>\1</code>", escape(text))


def _code(text: Any) -> str:
    return f"<code>{escape(str(text))}</code>"
