"""What a document means, and what is refused because money hangs on it."""

from decimal import Decimal

import pytest

from gateway.errors import Code, Refused
from gateway.intake import Source, normalise, parse
from schemas.alert import Alert
from schemas.fields import instant
from schemas.instrument import Instrument
from schemas.trade import Action, Effect, OrderType, Side, Unit

SOURCE = Source(name="demo")


def read(*, source=SOURCE, **fields):
    return normalise({"ticker": "BTCUSDT", **fields}, source=source)


def fault(**fields):
    with pytest.raises(Refused) as refused:
        read(**fields)
    assert refused.value.code is Code.INVALID
    return refused.value.faults[0]


@pytest.mark.parametrize(
    ("word", "action", "effect"),
    [
        ("buy", Action.BUY, Effect.UNKNOWN),
        ("SELL", Action.SELL, Effect.UNKNOWN),
        ("ENTER_LONG", Action.BUY, Effect.OPEN),
        ("short", Action.SELL, Effect.OPEN),
        ("entryLong", Action.BUY, Effect.OPEN),
        ("closelong", Action.CLOSE, Effect.REDUCE),
        ("exit_short", Action.CLOSE, Effect.REDUCE),
        ("flat", Action.CLOSE, Effect.REDUCE),
        ("exit", Action.CLOSE, Effect.REDUCE),
        ("cancel", Action.CANCEL, Effect.REDUCE),
    ],
)
def test_an_action_alone_says_what_it_can(word, action, effect):
    trade = read(action=word)
    assert (trade.action, trade.effect) == (action, effect)


@pytest.mark.parametrize(
    ("action", "position", "effect"),
    [
        ("buy", {"market_position": "long"}, Effect.OPEN),
        ("buy", {"market_position": "long", "prev_market_position": "flat"}, Effect.OPEN),
        ("buy", {"market_position": "long", "prev_market_position": "short"}, Effect.OPEN),
        ("sell", {"market_position": "short", "prev_market_position": "long"}, Effect.OPEN),
        ("sell", {"market_position": "flat"}, Effect.REDUCE),
        ("buy", {"market_position": "flat", "prev_market_position": "short"}, Effect.REDUCE),
        ("sell", {"market_position": "long", "prev_market_position": "long"}, Effect.REDUCE),
        ("buy", {"market_position": "short", "prev_market_position": "short"}, Effect.REDUCE),
        ("buy", {"market_position": "long", "market_position_size": "3", "prev_market_position": "long",
                 "prev_market_position_size": "2"}, Effect.OPEN),
        ("sell", {"market_position": "long", "market_position_size": "1", "prev_market_position": "long",
                  "prev_market_position_size": "2"}, Effect.REDUCE),
        ("buy", {"prev_market_position": "flat"}, Effect.OPEN),
        ("sell", {"prev_market_position": "long"}, Effect.UNKNOWN),
        ("sell", {"prev_market_position": "long", "prev_market_position_size": "2", "contracts": "2"}, Effect.REDUCE),
        ("sell", {"prev_market_position": "long", "prev_market_position_size": "2", "contracts": "4"}, Effect.OPEN),
        ("sell", {"reduce_only": True}, Effect.REDUCE),
        ("sell", {"positionSide": "LONG"}, Effect.REDUCE),
        ("sell", {"positionSide": "SHORT"}, Effect.OPEN),
        ("buy", {"positionSide": "BOTH"}, Effect.UNKNOWN),
        ("sell", {"type": "exit"}, Effect.REDUCE),
    ],
)  # fmt: skip
def test_action_and_position_together_tell_the_effect(action, position, effect):
    trade = read(action=action, **position)
    assert (trade.action.value, trade.effect) == (action, effect)


@pytest.mark.parametrize(
    ("fields", "action"),
    [
        ({"market_position": "long", "prev_market_position": "flat"}, Action.BUY),
        ({"sentiment": "bearish"}, Action.SELL),
        ({"market_position": "flat"}, Action.CLOSE),
        ({"market_position": "short", "prev_market_position": "short", "market_position_size": "1",
          "prev_market_position_size": "3"}, Action.BUY),
        ({"action": "add", "market_position": "short"}, Action.SELL),
        ({"action": "reduce", "prev_market_position": "long"}, Action.SELL),
        ({"action": "open", "side": "short"}, Action.SELL),
        ({"isBuy": "true", "isSell": "false"}, Action.BUY),
    ],
)  # fmt: skip
def test_an_action_that_is_worked_out_says_so(fields, action):
    trade = read(**fields)
    assert trade.action is action
    if "side" not in fields and "isBuy" not in fields:
        assert "action" in trade.inferred


def test_what_closes_a_long_tells_that_there_was_one():
    trade = read(action="closelong")
    assert trade.position.previous is Side.LONG
    assert trade.inferred == ("position.previous",)


@pytest.mark.parametrize(
    ("fields", "where", "problem"),
    [
        ({"action": "byu"}, "action", "not an action"),
        ({"action": 1}, "action", "not an action"),
        ({"side": "left"}, "side", "not an action"),
        ({"action": ""}, "action", "empty"),
        ({"action": None}, "action", "empty"),
        ({"action": "{{strategy.order.action}}"}, "action", "placeholder"),
        ({"action": "buy", "side": "sell"}, "action", "side says sell"),
        ({"action": "buy", "market_position": "short"}, "action", "cannot lead"),
        ({"action": "sell", "market_position": "long"}, "action", "cannot lead"),
        ({"action": "close", "market_position": "long"}, "action", "cannot lead"),
        ({"action": "ENTER_LONG", "market_position": "flat"}, "action", "cannot lead"),
        ({"action": "closelong", "prev_market_position": "short"}, "action", "does not fit"),
        ({"action": "add"}, "action", "which side"),
        ({"action": "buy", "market_position": "up"}, "market_position", "not a position"),
        ({"market_position": "long", "prev_market_position": "long"}, "position", "stays long"),
    ],
)
def test_an_action_that_is_not_understood_or_contradicts_is_refused(fields, where, problem):
    found = fault(**fields)
    assert found.where == where
    assert problem in found.problem


def test_a_refused_action_names_the_accepted_ones():
    assert "closelong" in fault(action="byu").cause


@pytest.mark.parametrize("value", ["NaN", "nan", "na"])
@pytest.mark.parametrize("field", ["quantity", "price"])
def test_a_quantity_or_price_that_is_not_a_number_is_refused(field, value):
    found = fault(action="buy", **{field: value})
    assert (found.where, found.found) == (field, value)
    assert "na" in found.cause


@pytest.mark.parametrize("value", [None, "", " ", "null"])
@pytest.mark.parametrize("field", ["quantity", "price", "sl", "tp", "leverage", "close"])
def test_null_and_empty_are_absent(field, value):
    trade = read(action="buy", **{field: value})
    assert trade.order is None
    assert trade.bar is None


@pytest.mark.parametrize("value", ["NaN", "na", Decimal(0), "0"])
@pytest.mark.parametrize("field", ["sl", "tp", "trailing", "leverage", "short SL"])
def test_an_optional_level_of_nan_or_0_is_absent(field, value):
    assert read(action="sell", **{field: value}).order is None


@pytest.mark.parametrize(
    ("fields", "where", "problem"),
    [
        ({"quantity": "-1"}, "quantity", "not negative"),
        ({"quantity": Decimal(0)}, "quantity", "orders nothing"),
        ({"quantity": "1,5"}, "quantity", "not a number"),
        ({"quantity": "lots"}, "quantity", "not a number"),
        ({"quantity": True}, "quantity", "not a number"),
        ({"quantity": [1]}, "quantity", "not a number"),
        ({"quantity": "0x10"}, "quantity", "not a number"),
        ({"quantity": "1_000"}, "quantity", "not a number"),
        ({"quantity": "٣"}, "quantity", "not a number"),
        ({"quantity": "1" * 39}, "quantity", "38 digits"),
        ({"quantity": "1e99"}, "quantity", "38 digits"),
        ({"quantity": "1", "quantity_type": "buckets"}, "quantity_type", "unit"),
        ({"price": "-5"}, "price", "not negative"),
        ({"price": Decimal(0), "order_type": "limit"}, "price", "limit order"),
        ({"sl": "2%"}, "sl", "not a number"),
        ({"stop_loss": "3300.1 - 20"}, "stop_loss", "not a number"),
        ({"tp": [Decimal(1), "x"]}, "tp[1]", "not a number"),
        ({"leverage": "-3x"}, "leverage", "negative"),
        ({"reduce_only": "maybe"}, "reduce_only", "true or false"),
        ({"order_type": "limt"}, "order_type", "order type"),
        ({"close": "abc"}, "close", "not a number"),
        ({"position_size": "abc"}, "position_size", "not a number"),
        ({"market_position_size": "-1"}, "market_position_size", "not negative"),
        ({"timenow": "yesterday"}, "timenow", "not a time"),
        ({"timenow": "2026-11-22 10:15:00"}, "timenow", "without a zone"),
        ({"comment": "c" * 5000}, "comment", "4096"),
        ({"message": "m" * 5000}, "message", "4096"),
        ({"order_id": "i" * 300}, "order_id", "256"),
        ({"note": {"deep": ["{{plot_21}}"]}}, "note.deep[0]", "placeholder"),
        ({"price": "{{close}}"}, "price", "placeholder {{close}}"),
    ],
)
def test_what_money_hangs_on_is_refused_where_it_is_not_certain(fields, where, problem):
    found = fault(action="buy", **fields)
    assert found.where == where
    assert problem in found.problem
    assert found.found is None or len(found.found) <= 80


def test_a_placeholder_of_strategies_says_that_it_works_only_there():
    assert "only in alerts on a strategy" in fault(action="buy", price="{{strategy.order.price}}").cause
    assert "no placeholder of this name" in fault(action="buy", price="{{strategy.order.prize}}").cause
    assert "{{strategy.order.price}}" in fault(action="buy", price="{{strategy.order.prize}}").cause


def test_every_fault_of_a_document_is_named_at_once():
    with pytest.raises(Refused) as refused:
        read(action="buy", quantity="NaN", price="x", sl="y")
    assert {found.where for found in refused.value.faults} == {"quantity", "price", "sl"}


def test_the_order_is_read_exactly():
    order = read(action="buy", quantity="0.10", price="61000.50", sl="60000", tp2="63000", tp1="62000", leverage="3x",
                 order_type="STOP_LIMIT", id=Decimal(7), comment="a \x00 b").order  # fmt: skip
    assert str(order.quantity.value) == "0.10"
    assert order.quantity.unit is Unit.CONTRACTS
    assert str(order.price) == "61000.50"
    assert order.stop_loss == 60000
    assert order.take_profit == (62000, 63000)
    assert order.leverage == 3
    assert order.type is OrderType.STOP_LIMIT
    assert (order.id, order.comment) == ("7", "a \x00 b")


@pytest.mark.parametrize(
    ("fields", "value", "unit"),
    [
        ({"quantity": "50%"}, 50, Unit.PERCENT),
        ({"amount": "100", "investmentType": "percentage_balance"}, 100, Unit.PERCENT),
        ({"amount": "10", "currency_type": "base"}, 10, Unit.BASE),
        ({"usd": Decimal(25)}, 25, Unit.QUOTE),
        ({"quote": Decimal(25)}, 25, Unit.QUOTE),
        ({"risk": "1.5%"}, Decimal("1.5"), Unit.RISK_PERCENT),
    ],
)
def test_a_quantity_knows_what_it_counts(fields, value, unit):
    quantity = read(action="buy", **fields).order.quantity
    assert (quantity.value, quantity.unit) == (value, unit)


def test_volume_is_the_bars_and_never_a_quantity():
    trade = read(action="buy", volume="150177")
    assert trade.order is None
    assert trade.bar.volume == 150177


def test_stops_that_are_named_for_a_side_count_for_the_side_that_may_open():
    stops = {"short SL": "110", "short TP": "90", "long SL": "95", "long TP": "105"}
    sold, closed = read(action="sell", **stops), read(action="close", **stops)
    assert (sold.order.stop_loss, sold.order.take_profit) == (110, (90,))
    assert "order.stop_loss" in sold.inferred
    assert sold.extra == {"long SL": "95", "long TP": "105"}
    assert closed.order is None


def test_a_stop_price_is_the_price_of_a_stop_order_and_else_the_stop_loss():
    stop = read(action="buy", order_type="stop", stopPrice="5").order
    plain = read(action="buy", price="6", stopPrice="5").order
    assert (stop.price, stop.stop_loss) == (5, None)
    assert (plain.price, plain.stop_loss) == (6, 5)


@pytest.mark.parametrize(
    "value",
    ["2026-11-22T10:15:01Z", "2026-11-22T11:15:01+01:00", "2026-11-22 10:15:01 UTC", Decimal(1795342501),
     "1795342501000",
     Decimal(1795342501000000), "1795342501000000000"],
)  # fmt: skip
def test_a_time_is_read_as_iso_or_as_any_unit_since_1970(value):
    assert read(action="buy", timestamp=value).fired_at == instant("2026-11-22T10:15:01Z")


def test_time_beside_timenow_is_the_start_of_the_bar():
    trade = read(action="buy", time="2026-11-22T10:10:00Z", timenow="2026-11-22T10:15:01Z", interval=Decimal(5))
    assert trade.fired_at == instant("2026-11-22T10:15:01Z")
    assert trade.bar.opened_at == instant("2026-11-22T10:10:00Z")
    assert trade.bar.interval == "5"


def test_indicators_are_exact_and_what_is_no_number_is_left_over():
    trade = read(
        action="buy", plot_0=Decimal("37774.433333333334"), indicators={"rsi": "61.5", "trend": "up", "x": "NaN"}
    )
    assert trade.indicators == {"rsi": Decimal("61.5"), "plot_0": Decimal("37774.433333333334")}
    assert trade.extra == {"indicators.trend": "up"}


def test_what_was_not_recognised_is_kept_as_json():
    trade = read(
        action="buy", mood=Decimal("0.1"), many=[Decimal(1), {"a": Decimal("0.1234567890123456789")}], none=None
    )
    assert trade.extra == {"mood": 0.1, "many": [1, {"a": "0.1234567890123456789"}], "none": None}


def test_a_trade_without_an_instrument_is_refused_unless_the_source_has_one():
    with pytest.raises(Refused, match="names no instrument"):
        normalise({"action": "buy"}, source=SOURCE)
    fixed = Instrument(raw="ETH-USDT", pair="ETH-USDT")
    assert normalise({"action": "buy"}, source=Source(name="demo", instrument=fixed)).instrument is fixed


@pytest.mark.parametrize("key", ["message", "text", "content", "msg", "comment"])
def test_an_object_that_names_no_trade_is_an_alert(key):
    alert = normalise({key: "crossed {{close}}", "rsi": Decimal("70.5")}, source=SOURCE)
    assert alert == Alert(message="crossed {{close}}", extra={"rsi": 70.5})


def test_an_alert_keeps_its_instrument_and_time_and_the_rest():
    alert = normalise(
        {"ticker": "BTCUSDT", "time": "2026-11-22T10:15:01Z", "signal": "golden cross", "type": "x"}, source=SOURCE
    )
    assert alert.instrument.pair == "BTC-USDT"
    assert alert.fired_at == instant("2026-11-22T10:15:01Z")
    assert alert.extra == {"signal": "golden cross", "type": "x"}


def test_a_text_is_an_alert_and_a_long_one_is_refused():
    assert normalise("BTC up", source=SOURCE).message == "BTC up"
    with pytest.raises(Refused, match="4096"):
        normalise("x" * 5000, source=SOURCE)


def test_an_empty_object_is_refused():
    with pytest.raises(Refused, match="empty"):
        normalise({}, source=SOURCE)


def test_a_canonical_body_is_read_by_the_contract():
    body = b"""{"action": "sell", "instrument": {"raw": "BTCUSDT.P"}, "position": {"target": "flat"},
        "idempotency_key": "k",
        "order": {"quantity": {"value": 0.50, "unit": "base"}, "take_profit": ["1.5"]}, "future_field": 1.5}"""
    (document,) = parse(body, source=SOURCE).documents
    trade = normalise(document, source=SOURCE)
    assert trade.effect is Effect.REDUCE
    assert str(trade.order.quantity.value) == "0.50"
    assert trade.instrument.name == "BTC-USDT-PERP"
    assert trade.idempotency_key == "k"
    assert trade.extra == {"future_field": 1.5}


@pytest.mark.parametrize(
    ("fields", "where"),
    [
        ({"instrument": {}}, "instrument.raw"),
        ({"action": "bye"}, "action"),
        ({"order": {"price": "1e5"}}, "order.price"),
        ({"order": {"quantity": {"value": "-1"}}}, "order.quantity.value"),
        ({"position": {"target": "long"}, "action": "close"}, "action"),
        ({"idempotency_key": "k" * 257}, "idempotency_key"),
        ({"order": {"price": Decimal("1e200")}}, "order.price"),
        ({"message": "{{close}}"}, "message"),
    ],
)
def test_a_canonical_body_that_breaks_the_contract_is_refused_by_field(fields, where):
    with pytest.raises(Refused) as refused:
        normalise({"action": "buy", "instrument": {"raw": "X"}, **fields}, source=SOURCE)
    assert [found.where for found in refused.value.faults] == [where]


@pytest.mark.parametrize("pair", ["A" * 200 + "-B", "\u00e9" * 60 + "-B"])
def test_a_canonical_pair_that_has_no_place_in_a_topic_is_refused(pair):
    """A pair that needs more than 128 bytes as a topic segment is refused at its place."""
    with pytest.raises(Refused) as refused:
        normalise({"action": "buy", "instrument": {"raw": "X1", "pair": pair}}, source=Source(name="demo"))
    assert refused.value.faults[0].where == "instrument.pair"
