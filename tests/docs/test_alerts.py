"""Every body that the alerts page shows does what the page says of it, in the real intake."""

from __future__ import annotations

import json
import re
import time
from datetime import UTC, datetime
from typing import Any

import pytest

from gateway.errors import Refused
from gateway.formats import ACCEPTED_ACTIONS, keyed
from gateway.intake import Received, Source
from gateway.journal.model import Draft
from gateway.pipeline import Road, consider
from schemas.topics import Topics
from tests.docs.markdown import Block, blocks, codes, page, rows

PAGE = page("docs/alerts.md")
REFUSED = "Refused, and the cure"
SOURCE = Source(name="tradingview")
FILLED = {
    "ticker": "BTCUSDT",
    "exchange": "BINANCE",
    "strategy.order.action": "buy",
    "strategy.order.contracts": "0.25",
    "strategy.order.price": "97250.5",
    "strategy.order.id": "Long",
    "strategy.order.comment": "entry",
    "strategy.market_position": "long",
    "strategy.market_position_size": "0.25",
    "strategy.prev_market_position": "flat",
    "strategy.prev_market_position_size": "0",
    "interval": "15",
    "close": "97250.5",
    "time": "2026-11-22T10:00:00Z",
}
CONTAINERS = {"bar", "data"}
"""Keys that hold other keys."""

BLOCKS = [block for block in blocks(PAGE) if block.language in {"json", "text"}]
GOOD = [block for block in BLOCKS if block.section != REFUSED]
BAD = [block for block in BLOCKS if block.section == REFUSED]


def take(body: str) -> list[Draft]:
    received = Received(source=SOURCE.name, secrets={}, body=body.encode(), at=time.time_ns() // 1000)
    road = Road(sources={SOURCE.name: SOURCE}, topics=Topics())
    return consider(received, SOURCE, road=road, new_id=lambda: "0193a6c2-7e4d-7a10-8f3b-0a1b2c3d4e5f")[0]


def filled(body: str) -> str:
    """The body as TradingView would send it."""
    values = FILLED | {"timenow": f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}"}
    return re.sub(r"\{\{([^}]+)\}\}", lambda match: values[match[1]], body)


def head(draft: Draft) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(draft.head if draft.head.endswith(b"}") else draft.head + b"}")
    return document


@pytest.mark.parametrize("block", GOOD, ids=lambda block: block.text[:50])
def test_a_body_that_the_page_recommends_is_accepted(block: Block) -> None:
    assert take(filled(block.text))


def test_the_first_template_says_all_that_the_gateway_can_use() -> None:
    (draft,) = take(filled(GOOD[0].text))
    data = head(draft)["data"]

    assert draft.effect == "open"
    assert "extra" not in data
    assert {"order", "position", "bar", "fired_at"} <= set(data)


def test_the_page_shows_refused_bodies_with_their_problem() -> None:
    assert len(BAD) > 10
    assert all(block.quotation for block in BAD)


@pytest.mark.parametrize("block", BAD, ids=lambda block: block.text[:50])
def test_a_body_that_the_page_warns_of_is_refused_with_the_quoted_problem(block: Block) -> None:
    with pytest.raises(Refused) as refused:
        take(block.text)

    fault = refused.value.faults[0]
    said = f"{fault.where}: {fault.problem}".removeprefix(": ")
    assert said.startswith(block.quotation)


def instruments() -> list[list[str]]:
    return list(rows(PAGE.partition("## Instruments")[2].partition("\n## ")[0]))[1:]


@pytest.mark.parametrize("cells", instruments(), ids=lambda cells: cells[0])
def test_a_ticker_becomes_the_instrument_that_the_page_says(cells: list[str]) -> None:
    (ticker,), (name,), kind = codes(cells[0]), codes(cells[1]), re.split(r"[:,]", cells[2])[0]
    (draft,) = take(json.dumps({"ticker": ticker, "action": "buy"}))

    assert draft.instrument == name
    assert head(draft)["data"]["instrument"].get("kind", "unknown") == kind


def test_every_key_of_the_page_is_one_that_the_gateway_reads() -> None:
    table = PAGE.partition("## Keys")[2].partition("\n## ")[0]
    cells = [row for row in rows(table) if row[0] not in {"meaning", "its values"}]
    names = {name for row in cells for name in codes(row[1]) if re.fullmatch(r"[a-z][a-z0-9_]*", name)}

    assert len(names) > 50
    assert not {name for name in names - CONTAINERS if keyed.read({name: "1"}).extra}
    assert not {name for name in CONTAINERS if keyed.read({name: {"ticker": "x", "close": "1"}}).fields == {}}


def test_every_action_word_of_the_page_is_accepted() -> None:
    (cells,) = [row for row in rows(PAGE) if row[0] == "its values"]
    words = cells[1].partition(", …")[0].split(", ")

    assert set(ACCEPTED_ACTIONS.split(", ")) <= set(words)
    for word in words:
        position = {"market_position": "long"} if word == "add" else {}
        assert take(json.dumps({"ticker": "BTCUSDT", "action": word, **position}))


@pytest.mark.parametrize(
    ("effect", "body"),
    [
        ("open", {"action": "long"}),
        ("unknown", {"action": "buy"}),
        ("reduce", {"action": "close"}),
        ("alert", {"message": "x"}),
    ],
)
def test_the_page_tells_how_long_an_effect_is_true(effect: str, body: dict[str, str]) -> None:
    table = rows(PAGE.partition("## Effect and expiry")[2].partition("\n## ")[0])
    minutes = {row[0]: row[1] for row in table}
    told = next(text for names, text in minutes.items() if effect in names.split(", "))
    (draft,) = take(json.dumps({"ticker": "BTCUSDT", **body}))
    number, unit = told.split()

    assert (draft.effect or "alert") == effect
    assert draft.expires_at - draft.accepted_at == int(number) * {"s": 1, "min": 60}[unit] * 1_000_000
