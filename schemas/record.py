"""What every body of the contract is: a frozen dataclass, the marshmallow schema that loads it, and its wire form."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import fields as dataclass_fields
from dataclasses import is_dataclass
from datetime import datetime
from decimal import Decimal
from functools import cache, cached_property
from types import NoneType
from typing import Any, ClassVar

from marshmallow import EXCLUDE, Schema, ValidationError, fields

from schemas.errors import ContractError, faults_of
from schemas.fields import exact_text, instant_text

_Step = tuple[str, bool, Callable[..., Any], tuple[Callable[[Any], Any], ...]]
"""A field: its name, whether it is required, how it is loaded and what it must satisfy."""


class RecordSchema(Schema):
    """Loads a mapping into ``record``; fields it does not know are ignored, as version 1 promises to its readers.

    ``null`` is absent, as CloudEvents demands. Hooks are not supported: ``check`` has their place.
    """

    record: ClassVar[type]

    class Meta:
        """Unknown fields come from a newer minor version."""

        unknown = EXCLUDE

    def load(self, data: Any, **_: Any) -> Any:
        """Load a mapping; the same as marshmallow's own loop without what no body needs, in a third of its time."""
        if not isinstance(data, Mapping):
            raise ValidationError("must be an object")
        values: dict[str, Any] = {}
        faults: dict[str, Any] = {}
        for name, required, deserialize, validators in self._steps:
            value = data.get(name)
            if value is None:
                if required:
                    faults[name] = ["is missing"]
                continue
            try:
                values[name] = loaded = deserialize(value, name, data)
                for validate in validators:
                    validate(loaded)
            except ValidationError:
                faults[name] = self._fault(name, value, data)
        if not faults:
            faults.update(self.check(values))
        if faults:
            raise ValidationError(faults)
        return self.record(**values)

    @cached_property
    def _steps(self) -> list[_Step]:
        """What ``Field.deserialize`` does with a value that is there, without the calls around it."""
        fields_ = self.load_fields.items()
        return [(name, field.required, field._deserialize, tuple(field.validators)) for name, field in fields_]  # noqa: SLF001

    def _fault(self, name: str, value: Any, data: Mapping[str, Any]) -> Any:
        """All that is wrong with a field, in marshmallow's words."""
        try:
            self.load_fields[name].deserialize(value, name, data)
        except ValidationError as error:
            return error.messages
        raise AssertionError(f"{name} is wrong, and is not")

    def check(self, values: Mapping[str, Any]) -> dict[str, list[str]]:  # noqa: ARG002
        """Say what is wrong between fields that are right one by one: problems by the field they are reported at."""
        return {}


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
    """Spell a record as JSON values: absent is absent, decimals and instants are strings.

    Raises:
        ValueError: a decimal or an instant that the wire cannot spell.
    """
    spelled = {}
    for name in _names(record.__class__):
        value = getattr(record, name)
        if value is None:
            continue
        kind = value.__class__
        if kind is str:
            spelled[name] = value
        elif value or kind not in _COLLECTIONS:
            spelled[name] = _speller(kind)(value)
    return spelled


_COLLECTIONS = frozenset({tuple, dict, list})
_PLAIN = frozenset({str, int, float, bool, NoneType})


@cache
def _names(record: type) -> tuple[str, ...]:
    return tuple(field.name for field in dataclass_fields(record))


@cache
def _speller(kind: type) -> Callable[[Any], Any]:
    """How values of a type are spelled."""
    if kind in _PLAIN:
        return lambda value: value
    if kind is Decimal:
        return exact_text
    if kind is datetime:
        return instant_text
    if issubclass(kind, str):
        return str
    if is_dataclass(kind):
        return wire
    if kind is tuple or kind is list:
        return _listed
    if issubclass(kind, Mapping):
        return _mapped
    raise TypeError(f"{kind.__name__} has no place in a body")


def _listed(values: Iterable[Any]) -> list[Any]:
    return [_speller(value.__class__)(value) for value in values]


def _mapped(values: Mapping[str, Any]) -> dict[str, Any]:
    return {name: _speller(value.__class__)(value) for name, value in values.items()}
