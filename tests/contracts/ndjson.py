"""NDJSON for schemathesis, which has no form for it: the entries of a list are lines, asked and answered."""

from __future__ import annotations

import json
from typing import Any

import schemathesis

NDJSON = "application/x-ndjson"


@schemathesis.serializer(NDJSON)
def write(_: schemathesis.SerializationContext, value: Any) -> bytes:
    """A line for each entry of a list; what is no list is one line."""
    return b"\n".join(json.dumps(line).encode() for line in (value if isinstance(value, list) else [value]))


@schemathesis.deserializer(NDJSON)
def read(_: schemathesis.DeserializationContext, response: Any) -> list[Any]:
    """Every line of an answer."""
    return [json.loads(line) for line in response.content.splitlines()]
