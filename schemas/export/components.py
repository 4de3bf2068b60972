"""Marshmallow schemas as named JSON Schemas that refer to each other, made as they are asked for."""

from __future__ import annotations

import inspect
import re
from functools import cache
from typing import Any

from marshmallow import Schema, fields

from schemas.export.scalars import Document, or_null, spell
from schemas.record import RecordSchema

_ARGUMENT = re.compile(r"^    (\w+): ", re.MULTILINE)


class Components:
    """The JSON Schemas of one document, by their names.

    Args:
        at: where the document keeps them, such as ``#/$defs/``.
    """

    def __init__(self, at: str) -> None:
        self._at = at
        self._made: dict[str, type[Schema]] = {}
        self.schemas: dict[str, Document] = {}

    def refer(self, schema: type[Schema]) -> Document:
        """A reference to a schema, which is made where it is not there yet.

        Raises:
            ValueError: another one has its name.
            TypeError: it has a field that cannot be spelled.
        """
        name = schema.__name__.removesuffix("Schema")
        if self._made.setdefault(name, schema) is not schema:
            raise ValueError(f"two schemas are called {name}")
        if name not in self.schemas:
            self.schemas[name] = {}
            self.schemas[name] = self.spell(schema)
        return self.named(name)

    def named(self, name: str) -> Document:
        """A reference by name."""
        return {"$ref": f"{self._at}{name}"}

    def spell(self, schema: type[Schema]) -> Document:
        """A schema itself. What a RecordSchema takes: unknown fields are ignored, and null is absent.

        What its ``check`` holds between fields is told in words.
        """
        summary, told = _docstring(getattr(schema, "record", schema))
        check = getattr(schema, "check", RecordSchema.check)
        rule = "" if check is RecordSchema.check else inspect.cleandoc(check.__doc__ or "")
        null_is_absent = issubclass(schema, RecordSchema)
        properties, required = {}, []
        for name, field in schema().fields.items():
            properties[name] = self._property(field, null=field.allow_none or (null_is_absent and not field.required))
            description = field.metadata.get("description") or told.get(name)
            if description and "$ref" not in properties[name]:
                properties[name]["description"] = description
            if field.required:
                required.append(name)
        description = " ".join(filter(None, (summary, _line(rule))))
        spelled: Document = {"type": "object", "description": description, "properties": properties}
        return spelled | ({"required": required} if required else {})

    def _property(self, field: fields.Field[Any], *, null: bool) -> Document:
        spelled = spell(field, lambda nested: self.refer(nested.schema.__class__))
        return or_null(spelled) if null else spelled


@cache
def _docstring(record: type) -> tuple[str, dict[str, str]]:
    """What a class says of itself, and of each of its fields under ``Args:``."""
    text = inspect.cleandoc(record.__doc__ or "").replace("``", "`")
    summary, _, arguments = text.partition("\n\nArgs:\n")
    _, *parts = _ARGUMENT.split(arguments)
    told = {name: _line(meaning) for name, meaning in zip(parts[::2], parts[1::2], strict=True)}
    return _line(summary), told


def _line(text: str) -> str:
    text = " ".join(text.split()).replace("None", "absent")
    return text if text.endswith((".", ":")) or not text else f"{text}."
