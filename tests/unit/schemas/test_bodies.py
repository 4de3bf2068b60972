"""Bodies: what is wrong is named with its path, and absent is absent."""

from __future__ import annotations

from dataclasses import FrozenInstanceError
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from schemas.alert import AlertSchema, WithdrawalSchema
from schemas.card import BotCardSchema, ReceiptedSchema
from schemas.errors import ContractError, Fault
from schemas.instrument import Instrument, Kind
from schemas.receipt import Receipt, ReceiptSchema, Stage
from schemas.record import RecordSchema, load, wire
from schemas.trade import Action, Effect, Order, Quantity, Side, Trade, TradeSchema, Unit, contradiction

TRADE: dict[str, Any] = {"action": "buy", "instrument": {"raw": "BTCUSDT"}}
RECEIPT: dict[str, Any] = {"signal": "1", "bot": "demo", "stage": "handled", "at": "2026-11-22T10:15:01Z"}


def faults(schema: type[RecordSchema], document: Any) -> dict[str, str]:
    with pytest.raises(ContractError) as raised:
        load(schema, document)
    return {fault.where: fault.problem for fault in raised.value.faults}


@pytest.mark.parametrize(
    ("wrong", "where"),
    [
        ({"action": None}, "action"),
        ({"action": "hold"}, "action"),
        ({"instrument": None}, "instrument"),
        ({"instrument": []}, "instrument"),
        ({"instrument": {}}, "instrument.raw"),
        ({"instrument": {"raw": ""}}, "instrument.raw"),
        ({"instrument": {"raw": "x" * 5000}}, "instrument.raw"),
        ({"instrument": {"raw": "x", "kind": "swap"}}, "instrument.kind"),
        ({"instrument": {"raw": "x", "pair": "BTC/USDT"}}, "instrument.pair"),
        ({"instrument": {"raw": "x", "pair": "BTC-USDT\n"}}, "instrument.pair"),
        ({"order": {"price": 1.5}}, "order.price"),
        ({"order": {"quantity": {"value": "0"}}}, "order.quantity.value"),
        ({"order": {"quantity": {"value": "-1"}}}, "order.quantity.value"),
        ({"order": {"quantity": {"unit": "base"}}}, "order.quantity.value"),
        ({"order": {"quantity": {"value": "1", "unit": "lots"}}}, "order.quantity.unit"),
        ({"order": {"take_profit": ["1", 2]}}, "order.take_profit[1]"),
        ({"order": {"take_profit": "1"}}, "order.take_profit"),
        ({"order": {"leverage": "0"}}, "order.leverage"),
        ({"order": {"reduce_only": "false"}}, "order.reduce_only"),
        ({"position": {"size": "-1"}}, "position.size"),
        ({"position": {"target": "up"}}, "position.target"),
        ({"bar": {"close": "NaN"}}, "bar.close"),
        ({"bar": {"opened_at": "yesterday"}}, "bar.opened_at"),
        ({"fired_at": "2026-11-22T10:15:01"}, "fired_at"),
        ({"indicators": {"rsi": "high"}}, "indicators.rsi"),
        ({"indicators": {"": True}}, "indicators."),
        ({"indicators": {"rsi": None}}, "indicators.rsi"),
        ({"indicators": []}, "indicators"),
        ({"extra": "x"}, "extra"),
        ({"inferred": [1]}, "inferred[0]"),
        ({"idempotency_key": ""}, "idempotency_key"),
    ],
)
def test_a_wrong_field_of_a_trade_is_named_with_its_path(wrong: dict[str, Any], where: str) -> None:
    found = faults(TradeSchema, TRADE | wrong)
    assert list(found) == [where]
    assert found[where]
    assert len(found[where]) < 300


def test_every_wrong_field_is_named_at_once() -> None:
    wrong = {
        "action": "x",
        "order": {"price": 1, "quantity": {"value": "x"}},
        "indicators": {"a": "x", "b": 1, "c": "x"},
    }
    assert set(faults(TradeSchema, wrong)) == {
        "action",
        "instrument",
        "order.price",
        "order.quantity.value",
        "indicators.a",
        "indicators.c",
    }


@pytest.mark.parametrize("document", [None, [], "x", 1])
def test_what_is_no_object_is_refused_as_a_whole(document: Any) -> None:
    assert faults(TradeSchema, document) == {"": "must be an object"}


def test_a_path_is_never_longer_than_a_person_reads() -> None:
    assert max(map(len, faults(TradeSchema, TRADE | {"indicators": {"x" * 5000: "y"}}))) < 100


@pytest.mark.parametrize(
    ("action", "target", "previous", "contradicts"),
    [
        (Action.BUY, Side.LONG, None, False),
        (Action.BUY, Side.FLAT, Side.SHORT, False),
        (Action.BUY, Side.SHORT, Side.SHORT, False),
        (Action.BUY, Side.SHORT, None, True),
        (Action.BUY, Side.SHORT, Side.LONG, True),
        (Action.SELL, Side.SHORT, None, False),
        (Action.SELL, Side.LONG, Side.LONG, False),
        (Action.SELL, Side.LONG, Side.FLAT, True),
        (Action.CLOSE, Side.FLAT, Side.LONG, False),
        (Action.CLOSE, Side.LONG, Side.LONG, True),
        (Action.CANCEL, Side.LONG, None, False),
        (Action.BUY, None, None, False),
    ],
)
def test_an_action_that_cannot_lead_to_the_position_is_refused(
    action: Action, target: Side | None, previous: Side | None, *, contradicts: bool
) -> None:
    assert (contradiction(action, target, previous) is not None) is contradicts
    position = {name: side for name, side in (("target", target), ("previous", previous)) if side}
    document = TRADE | {"action": action, "position": position}
    if contradicts:
        assert list(faults(TradeSchema, document)) == ["action"]
    else:
        assert load(TradeSchema, document).action is action


def test_absent_is_absent_on_the_wire() -> None:
    trade = Trade(action=Action.BUY, instrument=Instrument(raw="x"), order=Order(reduce_only=False))
    assert wire(trade) == {
        "action": "buy",
        "instrument": {"raw": "x", "kind": "unknown"},
        "effect": "unknown",
        "order": {"reduce_only": False},
    }


def test_null_is_absent_in_a_body_too() -> None:
    assert load(TradeSchema, TRADE | {"order": None, "effect": None, "extra": None}) == load(TradeSchema, TRADE)
    assert load(TradeSchema, TRADE).effect is Effect.UNKNOWN


def test_fields_of_a_newer_version_are_ignored_at_every_depth() -> None:
    newer = TRADE | {"zzz": 1, "instrument": {"raw": "BTCUSDT", "zzz": 1}, "order": {"zzz": 1}}
    assert load(TradeSchema, newer) == load(TradeSchema, TRADE | {"order": {}})


def test_an_indicator_is_a_number_or_an_exact_decimal() -> None:
    trade = load(TradeSchema, TRADE | {"indicators": {"a": 1, "b": 1.5, "c": "1.50"}})
    assert trade.indicators == {"a": 1, "b": 1.5, "c": Decimal("1.50")}
    assert str(trade.indicators["c"]) == "1.50"


@pytest.mark.parametrize("value", [{1, 2}, b"x", 1j])
def test_what_has_no_place_in_json_is_not_written(value: Any) -> None:
    with pytest.raises(TypeError, match="has no place"):
        wire(Trade(action=Action.BUY, instrument=Instrument(raw="x"), extra={"a": value}))


@pytest.mark.parametrize("stage", Stage)
def test_a_stage_is_final_unless_its_handler_is_still_to_come_or_running(stage: Stage) -> None:
    assert stage.final is (stage not in {Stage.RECEIVED, Stage.STARTED})
    assert load(ReceiptSchema, RECEIPT | {"stage": stage.value}).stage is stage


@pytest.mark.parametrize(
    "wrong",
    [
        {"stage": "done"},
        {"bot": "a/b"},
        {"signal": ""},
        {"at": None},
        {"duration_ms": -1},
        {"duration_ms": "1"},
        {"duration_ms": True},
        {"handler": ""},
        {"reason": "x" * 2001},
        {"order_ids": ["x"] * 101},
        {"order_ids": ["x" * 65]},
        {"received_at": 1},
    ],
    ids=str,
)
def test_a_wrong_receipt_is_refused_with_its_field(wrong: dict[str, Any]) -> None:
    assert [where.partition("[")[0] for where in faults(ReceiptSchema, RECEIPT | wrong)] == list(wrong)


def test_a_record_does_not_change() -> None:
    receipt = Receipt(signal="1", bot="demo", stage=Stage.HANDLED, at=datetime(2026, 1, 1, tzinfo=UTC))
    with pytest.raises(FrozenInstanceError):
        receipt.bot = "other"  # type: ignore[misc]
    assert isinstance(load(ReceiptSchema, RECEIPT | {"order_ids": ["1"]}).order_ids, tuple)


@pytest.mark.parametrize(
    ("schema", "document", "where"),
    [
        (AlertSchema, {"message": 1}, "message"),
        (AlertSchema, {"instrument": {"kind": "spot"}}, "instrument.raw"),
        (WithdrawalSchema, {"signal": "1"}, "reason"),
        (WithdrawalSchema, {"signal": "", "reason": "x"}, "signal"),
        (BotCardSchema, {"bot": "demo", "presence": "away", "instance": "1"}, "presence"),
        (BotCardSchema, {"bot": "demo", "presence": "online", "instance": "1", "durable": "yes"}, "durable"),
        (BotCardSchema, {"bot": "demo", "presence": "online", "instance": "1", "modes": [None]}, "modes[0]"),
        (ReceiptedSchema, {"receipts": ["a", 1]}, "receipts[1]"),
    ],
)
def test_a_wrong_field_of_another_body_is_named_with_its_path(
    schema: type[RecordSchema], document: dict[str, Any], where: str
) -> None:
    assert list(faults(schema, document)) == [where]


@pytest.mark.parametrize(
    ("facts", "name"),
    [
        ({"pair": "BTC-USDT", "kind": Kind.SPOT}, "BTC-USDT"),
        ({"pair": "BTC-USDT"}, "BTC-USDT"),
        ({"pair": "BTC-USDT", "kind": Kind.PERPETUAL}, "BTC-USDT-PERP"),
        ({"pair": "BTC-USDT", "kind": Kind.FUTURE, "ccxt": "BTC/USDT:USDT-261225"}, "BTC-USDT-261225"),
        ({"pair": "BTC-USDT", "kind": Kind.FUTURE}, "BTC-USDT"),
        ({"kind": Kind.FUTURE}, "ES1!"),
    ],
)
def test_an_instrument_has_one_name_in_topics(facts: dict[str, Any], name: str) -> None:
    assert Instrument(raw="ES1!", **facts).name == name


def test_a_fault_reads_as_a_sentence() -> None:
    fault = Fault(where="order.price", problem="is no number", found="{{close}}", cause="A placeholder was not filled.")
    assert str(fault) == "order.price: is no number (found '{{close}}'). A placeholder was not filled."


def test_a_quantity_prints_as_a_person_would_say_it():
    assert str(Quantity(value=Decimal("0.50"), unit=Unit.CONTRACTS)) == "0.50 contracts"
