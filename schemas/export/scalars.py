"""A marshmallow field as JSON Schema: what its loader takes, in words that drafts 7 and 2020-12 understand alike."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any

from marshmallow import fields, validate

from schemas.command import Amount, Pair
from schemas.envelope import SEQUENCE_DIGITS, Sequence
from schemas.fields import MAX_DIGITS, Choice, ExactDecimal, Flag, Instant, Name, Number, Object
from schemas.record import Listed
from schemas.times import Moment
from schemas.trade import Indicator

Document = dict[str, Any]
"""A JSON document, or a part of one."""

Refer = Callable[[fields.Nested], Document]
"""How a nested schema is referred to."""

_DIGITS = f"(?!(?:[^0-9]*[0-9]){{{MAX_DIGITS + 1}}})"
_EXACT = r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?$"
_ABOVE_ZERO, _NOT_BELOW_ZERO = "(?!-)(?=.*[1-9])", "(?!-.*[1-9])"
_DAY = "(?!0000)[0-9]{4}-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12][0-9]|3[01])"
_CLOCK = "(?:[01][0-9]|2[0-3]):[0-5][0-9]"
_INSTANT = rf"^{_DAY}T{_CLOCK}:[0-5][0-9](?:\.[0-9]{{1,9}})?(?:Z|[+-]{_CLOCK})$"
_END = r"\Z"
"""Python's end of a text, which is ``$`` elsewhere."""

_AMOUNT = rf"^[+-]?(?:{_DIGITS}(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)|[0-9]{{1,14}}(?:\.[0-9]{{1,14}})?[eE][+-]?[0-9])$"
_SINCE_1971 = _INSTANT.replace(_DAY, f"(?!0|1[0-8]|19[0-6]|1970){_DAY}")
_MOMENT = rf"{_SINCE_1971}|^(?=.*[1-9])[0-9]{{1,20}}(?:\.[0-9]{{1,9}})?$"


class Either(fields.Field[Any]):
    """One of several, for schemas that describe and do not load."""

    def __init__(self, *options: fields.Field[Any], **more: Any) -> None:
        super().__init__(**more)
        self.options = options


def spell(field: fields.Field[Any], refer: Refer) -> Document:
    """Spell what a field takes where it is there.

    Raises:
        TypeError: a field or a validator that has no JSON Schema here yet.
    """
    make = _FIELDS.get(field.__class__)
    if make is None:
        raise TypeError(f"{field.__class__.__name__} has no JSON Schema: give it one in {__name__}")
    schema = make(field, refer)
    for validator in field.validators:
        _narrow(schema, validator)
    return schema


def or_null(schema: Document) -> Document:
    """The same, or null."""
    kind = schema.get("type")
    if kind is None:
        return {"anyOf": [*(schema.get("anyOf") or [schema]), {"type": "null"}]}
    also = {"type": [*(kind if isinstance(kind, list) else [kind]), "null"]}
    return schema | also | ({"enum": [*schema["enum"], None]} if "enum" in schema else {})


def without_null(schema: Document) -> Document:
    """What ``or_null`` was given, where that has a type."""
    (kind,) = (one for one in schema["type"] if one != "null")
    words = [word for word in schema.get("enum", ()) if word is not None]
    return schema | {"type": kind} | ({"enum": words} if words else {})


def _exact(_: Any, __: Refer) -> Document:
    return {"type": "string", "pattern": f"^{_DIGITS}{_EXACT}"}


def _listed(field: Any, refer: Refer) -> Document:
    return {"type": "array", "items": spell(field.inner, refer)}


def _object(field: Any, refer: Refer) -> Document:
    values = field.value_field
    return {"type": "object"} | ({} if values is None else {"additionalProperties": spell(values, refer)})


def _simple(**schema: Any) -> Callable[[Any, Refer], Document]:
    return lambda _, __: dict(schema)


_FIELDS: Mapping[type, Callable[[Any, Refer], Document]] = {
    fields.String: _simple(type="string"),
    fields.Float: _simple(type="number"),
    fields.Integer: _simple(type="integer"),
    fields.Raw: _simple(),
    fields.Constant: lambda field, _: {"const": field.constant},
    fields.Nested: lambda field, refer: refer(field),
    Either: lambda field, refer: {"anyOf": [spell(option, refer) for option in field.options]},
    Name: _simple(type="string", pattern="^[A-Za-z0-9_-]{1,128}$"),
    Number: _simple(type="number"),
    Flag: _simple(type="boolean"),
    Instant: _simple(type="string", format="date-time", pattern=_INSTANT),
    ExactDecimal: _exact,
    Indicator: lambda field, refer: {"anyOf": [{"type": "number"}, _exact(field, refer)]},
    Choice: lambda field, _: {"type": "string", "enum": [word.value for word in field.enum]},
    Sequence: _simple(type="string", pattern=f"^0[0-9]{{{SEQUENCE_DIGITS - 1}}}$"),
    Listed: _listed,
    Object: _object,
    Amount: _simple(type=["number", "string"], pattern=_AMOUNT, exclusiveMinimum=-1e38, exclusiveMaximum=1e38),
    Pair: _simple(type="array", prefixItems=[{"type": "string"}, {}], minItems=2, maxItems=2),
    Moment: _simple(type=["number", "string"], pattern=_MOMENT, exclusiveMinimum=0, exclusiveMaximum=1e20),
}
"""By the very class: a field that resembles one of these may take something else."""


def _narrow(schema: Document, validator: Any) -> None:
    match validator:
        case validate.Length(equal=None):
            unit = "Items" if schema["type"] == "array" else "Length"
            _set(schema, **{f"min{unit}": validator.min, f"max{unit}": validator.max})
        case validate.Range() if "anyOf" in schema:
            for one in schema["anyOf"]:
                _narrow(one, validator)
        case validate.Range() if schema.get("type") == "string":
            schema["pattern"] = f"^{_sign(validator)}{schema['pattern'][1:]}"
        case validate.Range():
            _set(schema, **_bounds(validator))
        case validate.OneOf():
            schema["enum"] = [*validator.choices]
        case validate.Regexp():
            schema["pattern"] = f"^(?:{str(validator.regex.pattern).removesuffix(_END)})$"
        case _:
            raise TypeError(f"{validator!r} has no JSON Schema: give it one in {__name__}")


def _set(schema: Document, **limits: Any) -> None:
    schema |= {name: limit for name, limit in limits.items() if limit is not None}


def _bounds(validator: validate.Range) -> Document:
    least = "minimum" if validator.min_inclusive else "exclusiveMinimum"
    most = "maximum" if validator.max_inclusive else "exclusiveMaximum"
    return {least: _plain(validator.min), most: _plain(validator.max)}


def _plain(bound: Any) -> int | float | None:
    return (int(bound) if bound == int(bound) else float(bound)) if isinstance(bound, Decimal) else bound


def _sign(validator: validate.Range) -> str:
    """What stands before an exact decimal's pattern: a text has no bounds but its sign."""
    if validator.max is not None or validator.min != Decimal(0):
        raise TypeError(f"a decimal's text cannot be held to {validator!r}")
    return _NOT_BELOW_ZERO if validator.min_inclusive else _ABOVE_ZERO
