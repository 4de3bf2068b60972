"""What programs may post: the contract's bodies, with the spellings that the gateway takes besides."""

from __future__ import annotations

from typing import Any

from marshmallow import fields, validate

from gateway.intake import CAUSE
from schemas.export import Either
from schemas.fields import ExactDecimal, Instant, Number
from schemas.instrument import InstrumentSchema
from schemas.prediction import ModelSchema, PredictionSchema, ProbabilitiesSchema
from schemas.record import Listed, RecordSchema
from schemas.trade import BarSchema, Indicator, OrderSchema, PositionSchema, QuantitySchema, TradeSchema

_UNTIL = Instant(metadata={"description": "When it stops being true, at the latest."})
_SIDE = Number(validate=validate.Range(min=0, max=1))


def _spoken(schema: type[RecordSchema], *texts: str, **more: fields.Field[Any]) -> type[RecordSchema]:
    """The same schema as it may be posted: an exact decimal may also be a number, and so may some texts."""
    decimals = {name: _number(field) for name, field in schema().fields.items() if isinstance(field, ExactDecimal)}
    numbered = {name: Either(fields.String(), Number()) for name in texts}
    members = {**decimals, **numbered, **more, "__doc__": schema.__doc__}
    return type(f"Posted{schema.__name__}", (schema,), members)


def _number(field: fields.Field[Any]) -> fields.Field[Any]:
    return Indicator(required=field.required, validate=field.validators)


_QUANTITY = _spoken(QuantitySchema)
_ORDER = _spoken(OrderSchema, "id", "comment", quantity=fields.Nested(_QUANTITY), take_profit=Listed(Indicator()))

_MODEL = _spoken(ModelSchema, name=fields.String(validate=ModelSchema().fields["name"].validators))

PostedTradeSchema = _spoken(
    TradeSchema,
    position=fields.Nested(_spoken(PositionSchema)),
    order=fields.Nested(_ORDER),
    bar=fields.Nested(_spoken(BarSchema, "interval")),
    valid_until=_UNTIL,
    causationid=fields.String(
        validate=validate.Regexp(rf"{CAUSE.pattern}\Z"),
        metadata={"description": "The id of the prediction, or of the signal, that it was made of."},
    ),
)
"""A trade."""

PostedPredictionSchema = _spoken(
    PredictionSchema,
    model=Either(
        fields.Nested(_MODEL),
        fields.String(validate=validate.Length(min=1)),
        metadata={"description": "It, or its name, which may be left out where the source has one model."},
    ),
    instrument=Either(
        fields.Nested(InstrumentSchema),
        fields.String(validate=validate.Length(min=1)),
        metadata={"description": "It, or its text; or `pair` in its place; or neither where the source fixes it."},
    ),
    pair=fields.String(metadata={"description": "The instrument's text, such as `BTC-USDT`."}),
    probabilities=Either(
        fields.Nested(ProbabilitiesSchema),
        Listed(_SIDE),
        metadata={"description": "By name, or in the order that the source's `classes` say."},
    ),
)
"""A prediction."""
