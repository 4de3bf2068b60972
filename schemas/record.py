"""What every body of the contract is: a frozen dataclass, the marshmallow schema that loads it, and its wire form."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields as dataclass_fields
from dataclasses import is_dataclass
from datetime import datetime
from decimal import Decimal
from functools import cache
from typing import Any, ClassVar

from marshmallow import EXCLUDE, Schema, ValidationError, fields, post_load

from schemas.errors import ContractError, faults_of
from schemas.fields import exact_text, instant_text


class RecordSchema(Schema):
    """Loads a mapping into ``record``; fields it does not know are ignored, as version 1 promises to its readers."""

    record: ClassVar[type]

    class Meta:
        """Unknown fields come from a newer minor version."""

        unknown = EXCLUDE

    @post_load
    def _make(self, data: dict[str, Any], **_: Any) -> Any:
        return self.record(**data)


class Listed(fields.List[Any]):
    """A JSON array that becomes a tuple, so that a frozen record stays frozen."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> Any:
        return tuple(super()._deserialize(value, attr, data, **kwargs))


@cache
def _loader(schema: type[RecordSchema]) -> RecordSchema:
    return schema()


def load(schema: type[RecordSchema], document: Any) -> Any:
    """Load a wire form into the schema's record.

    Raises:
        ContractError: with one fault for each field that is wrong.
    """
    try:
        return _loader(schema).load(document)
    except ValidationError as error:
        raise ContractError(*faults_of(error.messages)) from None


def wire(record: Any) -> dict[str, Any]:
    """Spell a record as JSON values: absent is absent, decimals and instants are strings."""
    spelled = {}
    for name in _names(record.__class__):
        value = getattr(record, name)
        if value is None or (value.__class__ in _COLLECTIONS and not value):
            continue
        spelled[name] = _spell(value)
    return spelled


_COLLECTIONS = frozenset({tuple, dict, list})


@cache
def _names(record: type) -> tuple[str, ...]:
    return tuple(field.name for field in dataclass_fields(record))


def _spell(value: Any) -> Any:
    kind = value.__class__
    if kind is str or kind is int or kind is bool or kind is float:
        return value
    if kind is Decimal:
        return exact_text(value)
    if kind is datetime:
        return instant_text(value)
    if kind is tuple or kind is list:
        return [_spell(item) for item in value]
    if isinstance(value, Mapping):
        return {name: _spell(item) for name, item in value.items()}
    if is_dataclass(value):
        return wire(value)
    return value
