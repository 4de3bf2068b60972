"""Orders of signals: whatever order callbacks and markets speak in, each signal hears of its fills once."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from bot_plugin.hummingbot.fills import Fact, How, Order, verdict
from bot_plugin.hummingbot.orders import OrderWatch
from tests.unit.bot_plugin.hummingbot.followed import Followed, end, fill


@dataclass(frozen=True)
class Follow:
    order_id: str


@dataclass(frozen=True)
class Release:
    """The callback of the signal ended."""


Step = Fact | Follow | Release

amounts = st.integers(0, 5).map(lambda number: str(Decimal(number) / 10))


@st.composite
def facts_of(draw: st.DrawFn, order_id: str) -> list[Fact]:
    """What a market tells of one order: parts, and perhaps how it ended, with or without a total."""
    parts = draw(st.lists(amounts, max_size=3))
    told: list[Fact] = [fill(order_id, amount, key=str(key)) for key, amount in enumerate(parts)]
    how = draw(st.none() | st.sampled_from(How))
    total = sum(map(Decimal, parts), Decimal(0)) if how is How.COMPLETED and draw(st.booleans()) else Decimal(0)
    return told if how is None else [*told, end(order_id, how, amount=total, quote=total * 100, pair="BTC-USDT")]


@st.composite
def stories(draw: st.DrawFn) -> list[Step]:
    """A callback that places orders, and markets that tell of them, in any order and some of it twice."""
    names = [f"o{number}" for number in range(draw(st.integers(0, 3)))]
    steps: list[Step] = [Follow(name) for name in names]
    for name in names:
        told = draw(facts_of(name))
        steps += told + draw(st.lists(st.sampled_from(told), max_size=2) if told else st.just([]))
    return draw(st.permutations([*steps, Release()]))


@given(stories())
def test_filled_is_told_when_the_callback_and_all_its_orders_are_over_and_something_was_filled(
    story: list[Step],
) -> None:
    """At every step: told once and never early, with what was known then, and not withheld."""
    watch, signal = OrderWatch(), Followed()
    orders: dict[str, Order] = {}
    placed: list[str] = []
    released, reason = False, None
    holding = watch.holding(signal)
    holding.__enter__()
    for step in story:
        if isinstance(step, Release):
            released = True
            holding.__exit__(None, None, None)
        elif isinstance(step, Follow):
            placed += [step.order_id] if reason is None else []
            watch.follow(signal, step.order_id)
        else:
            orders.setdefault(step.order_id, Order(step.order_id)).hear(step)
            watch.hear(step)
        if reason is None and released:
            reason = verdict([orders.setdefault(name, Order(name)) for name in placed])
        assert signal.reasons == ([] if reason is None else [reason])
        assert signal.orders == placed


@given(facts_of("b1").flatmap(lambda told: st.tuples(st.just(told), st.permutations(told * 2))))
def test_an_order_is_the_same_whatever_the_order_and_repeats_of_what_is_told(
    told: tuple[list[Fact], list[Fact]],
) -> None:
    """Markets may tell a fill after the end, and tell it again."""
    once, again = Order("b1"), Order("b1")
    for fact in told[0]:
        once.hear(fact)
    for fact in told[1]:
        again.hear(fact)

    assert (once.how, once.filled) == (again.how, again.filled)


@given(st.lists(st.sampled_from(["a", "b", "c"]).flatmap(facts_of), max_size=30), st.integers(1, 3))
def test_what_is_remembered_has_a_bound(told: list[list[Fact]], bound: int) -> None:
    """However many orders there are, no more than the two bounds are kept, and nothing fails."""
    watch = OrderWatch(limit=bound, memory=bound)
    for number, facts in enumerate(told):
        watch.follow(Followed(str(number)), f"{facts[0].order_id if facts else 'n'}{number}")
        for fact in facts:
            watch.hear(fact)

    assert len(watch) <= 2 * bound
