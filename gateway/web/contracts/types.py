"""A JSON Schema in few words, for a person: what a value may be."""

from __future__ import annotations

import json
from html import escape
from typing import Any

from schemas.export import Document

_BOUNDS = {"minimum": "at least", "exclusiveMinimum": "above", "maximum": "at most", "exclusiveMaximum": "below"}
_COUNTED = {"Length": "characters", "Items": "entries"}


def kind(schema: Document) -> str:
    """What a value may be, as HTML; null is left out, as every field that is not required may be absent."""
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        return f'<a href="#schema-{escape(name)}">{escape(name)}</a>'
    if "const" in schema:
        return _code(schema["const"])
    if "enum" in schema:
        return ", ".join(_code(value) for value in schema["enum"] if value is not None)
    for among, word in (("anyOf", " or "), ("allOf", " with ")):
        if among in schema:
            return word.join(kind(one) for one in schema[among] if one != {"type": "null"} and _says(one))
    return _plain(schema)


def _plain(schema: Document) -> str:
    types = schema.get("type", "anything")
    names = [name for name in (types if isinstance(types, list) else [types]) if name != "null"]
    text = " or ".join(names)
    if "items" in schema:
        text += f" of {kind(schema['items'])}"
    if "properties" in schema:
        text = f"{{{', '.join(f'{escape(name)}: {kind(one)}' for name, one in schema['properties'].items())}}}"
    if isinstance(inner := schema.get("additionalProperties"), dict):
        text += f" of {kind(inner)}"
    limits = [f"{word} {schema[name]}" for name, word in _BOUNDS.items() if name in schema]
    limits += [
        _count(schema, unit, word) for unit, word in _COUNTED.items() if {f"min{unit}", f"max{unit}"} & {*schema}
    ]
    if schema.get("format") == "date-time":
        limits.append("RFC 3339")
    elif "pattern" in schema:
        limits.append(f"<details><summary>pattern</summary><code>{escape(schema['pattern'])}</code></details>")
    return f"{text} ({', '.join(limits)})" if limits else text


def _count(schema: Document, unit: str, word: str) -> str:
    least, most = schema.get(f"min{unit}"), schema.get(f"max{unit}")
    if most is None:
        return f"at least {least} {word}"
    return f"at most {most} {word}" if least is None else f"{least} to {most} {word}"


def _says(schema: Document) -> bool:
    return bool({"$ref", "type", "anyOf", "allOf", "const", "enum"} & schema.keys())


def _code(value: Any) -> str:
    return f"<code>{escape(value if isinstance(value, str) else json.dumps(value))}</code>"
