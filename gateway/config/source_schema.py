"""What may stand in the configuration of one source of signals."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from marshmallow import ValidationError, validates_schema

from gateway.config.fields import Named, Section, Value, Values, choice, duration, flag, name, text, whole
from gateway.config.section import SettingsSchema
from schemas.instrument import Kind
from schemas.topics import Mode, TopicError, Topics

KINDS = choice(**{kind.value: kind for kind in Kind if kind is not Kind.UNKNOWN})
CLASSES = choice(short="short", neutral="neutral", long="long")
UNPAIRED = frozenset({Kind.EQUITY, Kind.INDEX})


class InstrumentSchema(SettingsSchema):
    """An instrument that is given, not read from an alert."""

    venue = Value(text, load_default=None)
    base = Value(name, required=True)
    quote = Value(name, load_default=None)
    settle = Value(name, load_default=None)
    kind = Value(KINDS, required=True)
    expiry = Value(text, load_default=None)

    @validates_schema
    def _whole(self, data: Mapping[str, Any], **_: Any) -> None:
        kind, expiry = data["kind"], data["expiry"]
        if data["quote"] is None and kind not in UNPAIRED:
            raise ValidationError("is missing", "quote")
        if kind is Kind.FUTURE and not (expiry and len(expiry) == len("YYMMDD") and expiry.isdecimal()):
            raise ValidationError("is the day of a future's end as YYMMDD, such as 261225", "expiry")
        if kind is not Kind.FUTURE and expiry is not None:
            raise ValidationError("is for kind future only", "expiry")
        if data["settle"] is not None and kind not in {Kind.PERPETUAL, Kind.FUTURE}:
            raise ValidationError("is for perpetuals and futures only", "settle")


class TtlSchema(SettingsSchema):
    """How long a signal is true, by what it does."""

    open = Value(duration, load_default=60.0)
    reduce = Value(duration, load_default=900.0)
    alert = Value(duration, load_default=300.0)


class SecretInSchema(SettingsSchema):
    """Where a source's secret may come besides the path."""

    query = Value(flag, load_default=False)
    body = Value(text, load_default=None)


class HummingbotSchema(SettingsSchema):
    """Stock Hummingbot bots that get a source's signals as external events, or its predictions as ML signals."""

    bots = Values(name, load_default=())
    event = Value(text, load_default=None)
    ml_signals = Value(flag, load_default=False)

    @validates_schema
    def _whole(self, data: Mapping[str, Any], **_: Any) -> None:
        if bool(data["bots"]) != bool(data["event"]):
            raise ValidationError("needs bots and event together")
        try:
            for bot in data["bots"]:
                Topics().external_event(bot, data["event"])
        except TopicError as error:
            raise ValidationError(f"does not fit: {error}", "event") from None


class SourceSchema(SettingsSchema):
    """One source of signals."""

    type = Value(choice(trade="trade", prediction="prediction"), load_default="trade")
    mode = Value(choice(**{mode.value: mode for mode in Mode}), load_default=Mode.LIVE)
    instrument = Section(InstrumentSchema, optional=True)
    symbols = Named(InstrumentSchema, read=text)
    ttl = Section(TtlSchema)
    max_age = Value(duration, load_default=60.0)
    duplicates = Value(choice(drop=True, flag=False), load_default=True)
    secret_in = Section(SecretInSchema)
    secret_keys = Values(text, load_default=())
    bots = Values(name, load_default=())
    hummingbot = Section(HummingbotSchema)
    limit = Value(whole(1, 1_000_000), load_default=None)
    expect_every = Value(duration, load_default=None)
    models = Values(text, load_default=())
    interval = Value(duration, load_default=None)
    classes = Values(CLASSES, load_default=())

    @validates_schema
    def _of_its_type(self, data: Mapping[str, Any], **_: Any) -> None:
        faults = _not_of_trades(data) if data["type"] == "prediction" else _not_of_predictions(data)
        if faults:
            raise ValidationError(faults)


def _not_of_predictions(data: Mapping[str, Any]) -> dict[str, Any]:
    given = (name for name in ("models", "interval", "classes") if data[name])
    faults: dict[str, Any] = {name: ["is for type prediction only"] for name in given}
    if data["hummingbot"]["ml_signals"]:
        faults["hummingbot"] = {"ml_signals": ["is for type prediction only"]}
    return faults


def _not_of_trades(data: Mapping[str, Any]) -> dict[str, Any]:
    faults: dict[str, Any] = {}
    if wrong := {name: ["is for type trade only"] for name in ("query", "body") if data["secret_in"][name]}:
        faults["secret_in"] = wrong
    if data["hummingbot"]["bots"]:
        faults["hummingbot"] = {"bots": ["are for type trade only"]}
    elif data["hummingbot"]["ml_signals"] and data["mode"] is Mode.TEST:
        faults["hummingbot"] = {"ml_signals": ["reaches bots that trade, and the source's mode is test"]}
    if not data["models"]:
        faults["models"] = ["is missing: name the models whose predictions are taken"]
    if data["interval"] == 0:
        faults["interval"] = ["is longer than 0"]
    classes = data["classes"]
    if classes and (len(set(classes)) < len(classes) or not {"short", "long"} <= set(classes)):
        faults["classes"] = ["are short and long, and neutral where the model has it, each once"]
    return faults
