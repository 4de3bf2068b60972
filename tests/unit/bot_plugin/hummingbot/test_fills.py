"""What a verdict on orders says, and when there is none."""

from __future__ import annotations

from decimal import Decimal

import pytest

from bot_plugin.hummingbot.fills import Fact, How, Order, Side, rounded, verdict
from tests.unit.bot_plugin.hummingbot.followed import end, fill


def orders(*facts: Fact) -> list[Order]:
    made: dict[str, Order] = {}
    for fact in facts:
        made.setdefault(fact.order_id, Order(fact.order_id)).hear(fact)
    return list(made.values())


def test_a_completed_order_says_how_much_of_what_at_what_price() -> None:
    """Parts at several prices are one amount at their average."""
    facts = [fill("b1", "0.1", price="100"), fill("b1", "0.3", price="102", key="2"), end("b1")]

    assert verdict(orders(*facts)) == "bought 0.4 BTC-USDT at 101.5"


def test_orders_of_one_side_are_added_and_sides_are_told_apart() -> None:
    """Two buys are one sentence, the sell another."""
    facts = [fill("b1"), end("b1"), fill("b2"), end("b2"), fill("s1", "0.5", side=Side.SELL), end("s1")]

    assert verdict(orders(*facts)) == "bought 0.2 BTC-USDT at 100; sold 0.5 BTC-USDT at 100"


def test_what_was_cancelled_with_a_part_filled_is_named() -> None:
    """The part counts, and the order that did not complete is in the sentence with how it ended."""
    facts = [fill("b1", "0.05"), end("b1", How.CANCELLED), end("b2", How.FAILED)]

    assert verdict(orders(*facts)) == "bought 0.05 BTC-USDT at 100; b1 was cancelled; b2 failed"


def test_of_many_that_did_not_complete_a_few_are_named() -> None:
    """A receipt's reason stays short."""
    facts = [fill("a"), end("a"), *(end(f"b{number}", How.EXPIRED) for number in range(5))]

    assert (verdict(orders(*facts)) or "").endswith("b0 expired; b1 expired; b2 expired; and 2 more did not complete")


@pytest.mark.parametrize(
    "facts",
    [
        [],
        [fill("b1")],
        [end("b1", How.CANCELLED)],
        [fill("b1"), end("b1"), fill("b2")],
        [fill("b1", "0"), end("b1")],
        [fill("b1", "NaN"), end("b1", How.FAILED)],
    ],
    ids=["no order", "open", "nothing filled", "one is open", "nothing at all", "not a number"],
)
def test_there_is_no_verdict_before_all_is_over_or_where_nothing_was_filled(facts: list[Fact]) -> None:
    """An order that is open, or that ended without a fill, is no filled signal."""
    assert verdict(orders(*facts)) is None


def test_a_total_that_says_more_than_the_parts_counts() -> None:
    """A market that lost the word of a part tells the whole at the end."""
    total = {"side": Side.SELL, "pair": "ETH-USDT", "amount": Decimal(2), "quote": Decimal(5000)}

    assert verdict(orders(end("s1", **total))) == "sold 2 ETH-USDT at 2500"
    assert verdict(orders(fill("s1", "0.5", side=Side.SELL), end("s1", **total))) == "sold 2 ETH-USDT at 2500"


def test_an_amount_without_a_price_is_told_without_one() -> None:
    """No price is invented where the market tells none."""
    assert verdict(orders(fill("b1", price="NaN"), end("b1"))) == "bought 0.1 BTC-USDT"
    assert verdict(orders(fill("b1"), fill("b1", price="0", key="2"), end("b1"))) == "bought 0.2 BTC-USDT"


def test_completed_counts_where_a_market_says_several_endings() -> None:
    """A cancel that came too late does not make a completed order cancelled, in either order."""
    for facts in ([end("b1", How.CANCELLED), end("b1")], [end("b1"), end("b1", How.CANCELLED)]):
        assert orders(*facts)[0].how is How.COMPLETED


@pytest.mark.parametrize(
    ("number", "said"),
    [("1E+3", "1000"), ("0.10000", "0.1"), ("1E-8", "0.00000001"), ("33.333333333333333", "33.3333333333")],
)
def test_numbers_are_plain(number: str, said: str) -> None:
    """No exponents, no needless zeros, twelve digits."""
    assert rounded(Decimal(number)) == said
