"""Which orders followed which signals, and when a signal hears that they are filled."""

from __future__ import annotations

from contextlib import suppress

import pytest

from bot_plugin.hummingbot.fills import How
from bot_plugin.hummingbot.orders import OrderWatch
from tests.unit.bot_plugin.hummingbot.followed import Followed, end, fill


@pytest.fixture
def watch() -> OrderWatch:
    return OrderWatch()


@pytest.fixture
def signal() -> Followed:
    return Followed()


def test_an_order_that_followed_is_told_at_once_and_its_fill_once(watch: OrderWatch, signal: Followed) -> None:
    """The signal knows the order when it is placed, and that it is filled when it is over."""
    watch.follow(signal, "b1")
    assert (signal.orders, signal.reasons) == (["b1"], [])

    for fact in (fill("b1"), end("b1"), end("b1"), fill("b1", key="2")):
        watch.hear(fact)
    assert signal.reasons == ["bought 0.1 BTC-USDT at 100"]


def test_what_was_told_before_it_was_followed_counts(watch: OrderWatch, signal: Followed) -> None:
    """A market order may be filled before the callback has its id."""
    watch.hear(fill("b1"))
    watch.hear(end("b1"))
    watch.follow(signal, "b1")

    assert signal.reasons == ["bought 0.1 BTC-USDT at 100"]


def test_filled_waits_while_a_callback_may_place_more(watch: OrderWatch, signal: Followed) -> None:
    """The first order of a callback is filled before its second is placed: both are told together."""
    with watch.holding(signal):
        for name in ("b1", "b2"):
            watch.follow(signal, name)
            watch.hear(fill(name))
            watch.hear(end(name))
        assert signal.reasons == []

    assert signal.reasons == ["bought 0.2 BTC-USDT at 100"]


def test_a_callback_that_fails_has_placed_what_it_placed(watch: OrderWatch, signal: Followed) -> None:
    """Its orders are followed all the same."""
    with suppress(ZeroDivisionError), watch.holding(signal):
        watch.follow(signal, "b1")
        raise ZeroDivisionError
    watch.hear(fill("b1"))
    watch.hear(end("b1"))

    assert signal.reasons == ["bought 0.1 BTC-USDT at 100"]


def test_an_order_that_follows_after_filled_changes_nothing(watch: OrderWatch, signal: Followed) -> None:
    """The gateway has had its word; a later order neither changes it nor sends another."""
    watch.follow(signal, "b1")
    watch.hear(fill("b1"))
    watch.hear(end("b1"))
    watch.follow(signal, "b2")
    watch.hear(fill("b2"))
    watch.hear(end("b2"))

    assert (signal.orders, len(signal.reasons)) == (["b1"], 1)


def test_an_order_that_ended_unfilled_is_forgotten_when_the_next_one_fills(watch: OrderWatch, signal: Followed) -> None:
    """A retry after a failure is filled, and the failure is named."""
    watch.follow(signal, "b1")
    watch.hear(end("b1", How.FAILED))
    watch.follow(signal, "b2")
    watch.hear(fill("b2"))
    watch.hear(end("b2"))

    assert signal.reasons == ["bought 0.1 BTC-USDT at 100; b1 failed"]


def test_a_signal_of_which_nothing_was_filled_is_in_the_log(
    watch: OrderWatch, signal: Followed, caplog: pytest.LogCaptureFixture
) -> None:
    """There is no receipt for it, so the log says it, once, with the orders' ends."""
    with watch.holding(signal):
        watch.follow(signal, "b1")
        watch.hear(end("b1", How.FAILED))
        watch.follow(signal, "b2")
        assert caplog.text == ""
    watch.hear(end("b2", How.CANCELLED))
    watch.hear(end("b2", How.CANCELLED))

    assert [record.getMessage() for record in caplog.records] == [
        "signal s1: nothing was filled: b1 failed; b2 was cancelled"
    ]
    assert signal.reasons == []


def test_a_fill_that_comes_after_the_cancel_counts(watch: OrderWatch, signal: Followed) -> None:
    """An exchange may tell the cancel first."""
    watch.follow(signal, "b1")
    watch.hear(end("b1", How.CANCELLED))
    watch.hear(fill("b1", "0.05"))

    assert signal.reasons == ["bought 0.05 BTC-USDT at 100; b1 was cancelled"]


def test_two_handlers_of_one_signal_have_each_their_own_orders(watch: OrderWatch) -> None:
    """Each handler has a signal object of its own, also where they are equal."""
    one, other = Followed(), Followed()
    watch.follow(one, "b1")
    watch.follow(other, "b2")
    watch.hear(fill("b2"))
    watch.hear(end("b2"))

    assert (one.orders, one.reasons) == (["b1"], [])
    assert (other.orders, len(other.reasons)) == (["b2"], 1)


def test_an_order_may_follow_several_signals(watch: OrderWatch) -> None:
    """Both are told of it."""
    signals = [Followed("a"), Followed("b")]
    for signal in signals:
        watch.follow(signal, "b1")
    watch.hear(fill("b1"))
    watch.hear(end("b1"))

    assert [len(signal.reasons) for signal in signals] == [1, 1]


def test_an_order_without_an_id_is_not_followed(watch: OrderWatch, signal: Followed) -> None:
    """A strategy whose order was not even sent has no id to tell."""
    watch.follow(signal, "")

    assert signal.orders == []


def test_the_oldest_are_given_up_where_too_many_are_open(caplog: pytest.LogCaptureFixture) -> None:
    """What is remembered has a bound, and the log says what is lost."""
    watch, signals = OrderWatch(limit=2), [Followed(str(number)) for number in range(3)]
    for number, signal in enumerate(signals):
        watch.follow(signal, f"b{number}")
    for number in range(3):
        watch.hear(fill(f"b{number}"))
        watch.hear(end(f"b{number}"))

    assert [len(signal.reasons) for signal in signals] == [0, 1, 1]
    assert "order b0 is followed no more" in caplog.text


def test_orders_of_others_do_not_push_out_those_of_signals() -> None:
    """A market maker's own orders come and go; only a few of them are remembered."""
    watch, signal = OrderWatch(limit=1, memory=2), Followed()
    watch.follow(signal, "b1")
    for number in range(100):
        watch.hear(fill(f"own{number}"))
        watch.hear(end(f"own{number}"))
    watch.hear(fill("b1"))
    watch.hear(end("b1"))

    assert len(signal.reasons) == 1
