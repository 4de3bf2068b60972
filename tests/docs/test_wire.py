"""What the topics and Hummingbot pages show is what is on the wire."""

from __future__ import annotations

import json
from datetime import timedelta

from gateway.delivery.route import external_event
from schemas.card import BotCard, GatewayCard
from schemas.envelope import Envelope, decode
from schemas.record import load
from schemas.topics import NamedTopic, SignalTopic, Topics
from schemas.trade import Trade, TradeSchema
from tests.docs.markdown import blocks, codes, keyed_rows, page, rows

TOPICS = Topics()


def shown() -> Envelope:
    (block,) = [block for block in blocks(page("docs/topics.md")) if block.language == "json"]
    return decode(block.text.encode())


def test_the_envelope_of_the_page_can_be_read_whole() -> None:
    envelope = shown()
    trade: Trade = load(TradeSchema, envelope.data)

    assert trade.instrument.pair == "BTC-USDT"
    assert not set(envelope.data) - set(TradeSchema().fields)
    assert envelope.expirytime == envelope.time.replace(microsecond=0) + timedelta(seconds=60)


def test_every_topic_of_the_page_is_one_that_the_tree_builds() -> None:
    named = {topic for topic in keyed_rows(page("docs/topics.md")) if topic.startswith(("signals", "hbot"))}
    built = {
        TOPICS.signal(SignalTopic("trade", "SOURCE", "INSTRUMENT")),
        TOPICS.signal(SignalTopic("alert", "SOURCE", "INSTRUMENT")),
        TOPICS.signal(SignalTopic("prediction", "SOURCE", "INSTRUMENT")),
        TOPICS.signal(SignalTopic("trade", "SOURCE", "INSTRUMENT", test=True)),
        *(f"signals/v1/{kind}/BOT" for kind in ("receipt", "receipted", "bot")),
        TOPICS.gateway("INSTANCE"),
        TOPICS.external_event("BOT", "NAME"),
        TOPICS.ml_signals("pair").replace("pair", "PAIR"),
        TOPICS.reply("BOT", "CLIENT", "CALL"),
        TOPICS.command("BOT", "COMMAND"),
    }
    told = {*built} - {TOPICS.reply("BOT", "CLIENT", "CALL")}

    assert named == built
    assert all(isinstance(TOPICS.parse(topic), SignalTopic | NamedTopic) for topic in told if "hbot" not in topic)


def test_every_attribute_of_the_page_is_one_of_the_envelope() -> None:
    named = {name for row in rows(page("docs/topics.md")) if len(row) == 2 for name in codes(row[0])}

    assert named <= set(Envelope.__dataclass_fields__)


def test_a_card_has_what_the_page_says() -> None:
    assert {"presence", "since", "handlers", "subscriptions", "modes", "commands"} <= set(BotCard.__dataclass_fields__)
    assert {"presence", "since"} <= set(GatewayCard.__dataclass_fields__)


def test_the_external_event_of_the_hummingbot_page_is_what_a_stock_bot_gets() -> None:
    block, _ = [block for block in blocks(page("docs/hummingbot.md")) if block.language == "json"]
    event = json.loads(block.text)
    envelope = shown()
    sent = json.loads(external_event(envelope, load(TradeSchema, envelope.data)))

    assert event.keys() == sent.keys()
    assert event["data"].keys() <= sent["data"].keys()
    assert {name: type(value) for name, value in event.items()} == {name: type(value) for name, value in sent.items()}
    assert event["timestamp"] == sent["timestamp"]
    assert not {name for name, value in event["data"].items() if type(value) is not type(sent["data"][name])}
