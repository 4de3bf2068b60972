"""One message of each kind, as Python says it; the files in v1/ say the same in bytes."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from schemas import envelope as e
from schemas.alert import Alert, AlertSchema, Withdrawal, WithdrawalSchema
from schemas.card import BotCard, BotCardSchema, GatewayCard, GatewayCardSchema, Presence, Receipted, ReceiptedSchema
from schemas.instrument import Instrument, Kind
from schemas.prediction import Model, Prediction, PredictionSchema, Probabilities, Value
from schemas.receipt import Receipt, ReceiptSchema, Stage
from schemas.record import RecordSchema
from schemas.topics import Mode
from schemas.trade import Action, Bar, Effect, Order, OrderType, Position, Quantity, Side, Trade, TradeSchema, Unit

AT = datetime(2026, 11, 22, 10, 15, 1, 123456, tzinfo=UTC)
LATER = datetime(2026, 11, 22, 10, 16, 1, tzinfo=UTC)
SIGNAL = "0193a6c2-7e4d-7a10-8f3b-0a1b2c3d4e5f"
RECEIPT = "0193a6c2-7f00-7b21-9c4d-1a2b3c4d5e6f"


@dataclass(frozen=True, slots=True)
class Message:
    schema: type[RecordSchema]
    body: Any
    envelope: e.Envelope


def message(schema: type[RecordSchema], body: Any, type_: str, **attributes: Any) -> Message:
    dataschema = e.schema_urn(type_)
    data = e.body(schema, body)
    return Message(schema, body, e.Envelope(type=type_, data=data, dataschema=dataschema, **{"time": AT} | attributes))


def signal(schema: type[RecordSchema], body: Any, type_: str, **attributes: Any) -> Message:
    common = {"id": SIGNAL, "source": "/sources/btc-breakout", "expirytime": LATER, "mode": Mode.LIVE}
    return message(schema, body, type_, **common | attributes)


def from_bot(schema: type[RecordSchema], body: Any, type_: str, **attributes: Any) -> Message:
    return message(schema, body, type_, **{"id": RECEIPT, "source": "/bots/demo"} | attributes)


def receipt(stage: Stage, **facts: Any) -> Message:
    body = Receipt(signal=SIGNAL, bot="demo", stage=stage, at=AT, **facts)
    return from_bot(ReceiptSchema, body, e.RECEIPT, subject=SIGNAL, causationid=SIGNAL)


TRADE = Trade(
    action=Action.BUY,
    effect=Effect.OPEN,
    instrument=Instrument(
        raw="BINANCE:BTCUSDT.P",
        venue="BINANCE",
        base="BTC",
        quote="USDT",
        settle="USDT",
        kind=Kind.PERPETUAL,
        pair="BTC-USDT",
        ccxt="BTC/USDT:USDT",
    ),
    position=Position(target=Side.LONG, size=Decimal("0.50"), previous=Side.FLAT, previous_size=Decimal(0)),
    order=Order(
        type=OrderType.STOP_LIMIT,
        quantity=Quantity(value=Decimal("0.50"), unit=Unit.BASE),
        price=Decimal("61234.5"),
        stop_loss=Decimal(60000),
        take_profit=(Decimal(62000), Decimal("63000.25")),
        trailing=Decimal("1.5"),
        leverage=Decimal(3),
        reduce_only=False,
        id="Long #1",
        comment="Ausbruch über 61k 🚀",
    ),
    bar=Bar(
        interval="15",
        opened_at=datetime(2026, 11, 22, 10, tzinfo=UTC),
        open=Decimal("61000.1"),
        high=Decimal(61300),
        low=Decimal("60900.00"),
        close=Decimal("61234.5"),
        volume=Decimal("12345678901234567890.123456789012345678"),
    ),
    fired_at=datetime(2026, 11, 22, 10, 15, tzinfo=UTC),
    strategy="breakout",
    account="main",
    indicators={"rsi": Decimal("70.10"), "atr": 123.5, "count": 3},
    message="go\nlong",
    idempotency_key="breakout-42",
    extra={"note": "kept", "nested": {"list": [1, -2.5, True, None, "[redacted]"]}},
    inferred=("effect", "instrument.kind"),
)

PREDICTION = Prediction(
    model=Model(name="btc-lstm", version="2026-11-20"),
    instrument=Instrument(raw="BTC-USDT", base="BTC", quote="USDT", pair="BTC-USDT"),
    horizon=3600,
    probabilities=Probabilities(short=0.125, neutral=0.25, long=0.625),
    value=Value(name="return", value=0.0042),
    quantiles={"0.05": Decimal("-0.010"), "0.5": 0.004, "0.95": 0.02},
    confidence=0.75,
    outlier=False,
    target_pct=Decimal("0.0042"),
    observed_at=datetime(2026, 11, 22, 10, 15, tzinfo=UTC),
    produced_at=datetime(2026, 11, 22, 10, 15, 0, 900000, tzinfo=UTC),
    valid_until=LATER,
    features={"rsi": Decimal("70.10"), "volume": 123.5},
    idempotency_key="btc-lstm/BTC-USDT/2026-11-22T10:15",
)

MESSAGES = {
    "trade": signal(
        TradeSchema,
        TRADE,
        e.TRADE,
        subject="BTC-USDT-PERP",
        partitionkey="btc-breakout/BTC-USDT-PERP",
        sequence=1795342501123456,
        previoussequence=1795342444000001,
        traceparent="00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
        correlationid="idea-7",
        causationid="0193a6c2-0000-7000-8000-000000000001",
        replayof="0193a6c2-0000-7000-8000-000000000002",
        possibleduplicateof="0193a6c2-0000-7000-8000-000000000003",
    ),
    "trade_minimal": signal(
        TradeSchema,
        Trade(action=Action.CLOSE, instrument=Instrument(raw="ES1!")),
        e.TRADE,
        subject="ES1%21",
        mode=Mode.PAPER,
        partitionkey="btc-breakout/ES1%21",
        sequence=0,
    ),
    "alert": signal(
        AlertSchema,
        Alert(
            message='He said "buy"\t\\ and \u0000 left',
            instrument=Instrument(
                raw="ETHUSD", base="ETH", quote="USD", kind=Kind.SPOT, pair="ETH-USD", ccxt="ETH/USD"
            ),
            fired_at=AT,
            extra={"channel": "#general"},
        ),
        e.ALERT,
        subject="ETH-USD",
        mode=Mode.TEST,
        partitionkey="btc-breakout/ETH-USD",
        sequence=2**63 - 1,
    ),
    "alert_minimal": signal(AlertSchema, Alert(message="hello"), e.ALERT, partitionkey="btc-breakout/-", sequence=1),
    "prediction": signal(
        PredictionSchema,
        PREDICTION,
        e.PREDICTION,
        source="/sources/btc-models",
        subject="BTC-USDT",
        partitionkey="btc-models/BTC-USDT",
        sequence=1795342501123456,
        previoussequence=1795342444000001,
        traceparent="00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
    ),
    "prediction_minimal": signal(
        PredictionSchema,
        Prediction(
            model=Model(name="btc-lstm"), instrument=Instrument(raw="BTC-USDT"), probabilities=Probabilities(long=1)
        ),
        e.PREDICTION,
        source="/sources/btc-models",
        subject="BTC-USDT",
        partitionkey="btc-models/BTC-USDT",
        sequence=1,
    ),
    "prediction_value": signal(
        PredictionSchema,
        Prediction(
            model=Model(name="btc-gbm", version="7"),
            instrument=Instrument(raw="BTC-USDT"),
            value=Value(name="close", value=Decimal("61234.50")),
        ),
        e.PREDICTION,
        source="/sources/btc-models",
        subject="BTC-USDT",
        mode=Mode.PAPER,
        partitionkey="btc-models/BTC-USDT",
        sequence=1,
    ),
    "withdraw": signal(
        WithdrawalSchema,
        Withdrawal(signal="0193a6c2-0000-7000-8000-000000000001", reason="withdrawn by the operator"),
        e.WITHDRAW,
        subject="BTC-USDT-PERP",
        partitionkey="btc-breakout/BTC-USDT-PERP",
        sequence=1795342501123457,
        previoussequence=1795342501123456,
        causationid="0193a6c2-0000-7000-8000-000000000001",
    ),
    "receipt_received": receipt(Stage.RECEIVED),
    "receipt_started": receipt(Stage.STARTED, handler="act", received_at=AT),
    "receipt_handled": receipt(
        Stage.HANDLED,
        handler="act",
        duration_ms=12.5,
        order_ids=("17", "x-2"),
        received_at=AT,
        started_at=AT,
    ),
    "receipt_failed": receipt(Stage.FAILED, handler="act", reason="ValueError: no balance", duration_ms=0.25),
    "receipt_interrupted": receipt(Stage.INTERRUPTED, handler="act", reason="the process ended while it ran"),
    "receipt_refused": receipt(Stage.REFUSED, reason="mode: paper is not run here"),
    "receipt_expired": receipt(Stage.EXPIRED, handler="act", reason="2.1 s late"),
    "receipt_out_of_order": receipt(Stage.OUT_OF_ORDER, handler="act", reason="a later signal of its key has run"),
    "receipt_withdrawn": receipt(Stage.WITHDRAWN, handler="act"),
    "receipt_filled": receipt(Stage.FILLED, handler="act", order_ids=("17",)),
    "receipted": message(
        ReceiptedSchema,
        Receipted(receipts=(RECEIPT, "0193a6c2-7f00-7b21-9c4d-1a2b3c4d5e70")),
        e.RECEIPTED,
        id="0193a6c2-8000-7c32-ad5e-2a3b4c5d6e7f",
        source="/gateways/gw-1",
        subject="demo",
    ),
    "bot_online": from_bot(
        BotCardSchema,
        BotCard(
            bot="demo",
            presence=Presence.ONLINE,
            instance="9f8e7d6c",
            since=AT,
            clock=LATER,
            plugin="0.1.0",
            bodies=(e.TRADE, e.ALERT, e.WITHDRAW),
            subscriptions=("signals/v1/trade/btc-breakout/+",),
            handlers=("act",),
            modes=(Mode.LIVE, Mode.PAPER),
            durable=True,
        ),
        e.BOT_CARD,
        subject="demo",
    ),
    "bot_serving": from_bot(
        BotCardSchema,
        BotCard(
            bot="demo",
            presence=Presence.ONLINE,
            instance="9f8e7d6c",
            since=AT,
            commands=("stop", "balance/limit", "command/rebalance"),
        ),
        e.BOT_CARD,
        subject="demo",
    ),
    "bot_hosting": from_bot(
        BotCardSchema,
        BotCard(
            bot="demo",
            presence=Presence.ONLINE,
            instance="9f8e7d6c",
            since=AT,
            handlers=("act",),
            hosts=True,
        ),
        e.BOT_CARD,
        subject="demo",
    ),
    "bot_offline": from_bot(
        BotCardSchema, BotCard(bot="demo", presence=Presence.OFFLINE, instance="9f8e7d6c"), e.BOT_CARD, subject="demo"
    ),
    "bot_claim": from_bot(
        BotCardSchema, BotCard(bot="demo", presence=Presence.CLAIM, instance="11aa22bb"), e.BOT_CARD, subject="demo"
    ),
    "gateway_online": message(
        GatewayCardSchema,
        GatewayCard(instance="gw-1", presence=Presence.ONLINE, since=AT, version="0.1.0"),
        e.GATEWAY_CARD,
        id="0193a6c2-8000-7c32-ad5e-2a3b4c5d6e80",
        source="/gateways/gw-1",
        subject="gw-1",
    ),
    "gateway_offline": message(
        GatewayCardSchema,
        GatewayCard(instance="gw-1", presence=Presence.OFFLINE),
        e.GATEWAY_CARD,
        id="0193a6c2-8000-7c32-ad5e-2a3b4c5d6e81",
        source="/gateways/gw-1",
        subject="gw-1",
    ),
}
