"""Two problems say the same where only ids, times and numbers differ."""

from __future__ import annotations

import pytest

from gateway.notify.problems import Kind, Problem
from gateway.notify.wording import wording


def said(text: str, kind: Kind = Kind.FAILED) -> str:
    return wording(Problem(kind=kind, subject="bot demo", text=text, at=0))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("price 5 is too much", "price -6.75 is too much"),
        ("it took 30s", "it took 31.5s"),
        ("expired at 2026-11-22T12:55:01.123456Z", "expired at 2027-01-02T03:04:05Z"),
        ("order 0193a6c2-7e4d-7a10-8f3b-0a1b2c3d4e5f is gone", "order 0193a6c2-7e4d-7a10-8f3b-ffffffffffff is gone"),
        ("order deadbeef0001 is gone", "order feedbeefcafe1 is gone"),
    ],
)
def test_ids_times_and_numbers_make_no_difference(one: str, other: str) -> None:
    assert said(one) == said(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("handler act of bot demo", "handler log of bot demo"),
        ("handler act1 of bot demo", "handler act2 of bot demo"),
        ("an entry for 1INCH-USDT", "an entry for 1000PEPE-USDT"),
        ("ValueError: no", "KeyError: no"),
    ],
)
def test_names_markets_and_reasons_make_a_difference(one: str, other: str) -> None:
    assert said(one) != said(other)


def test_what_lasts_says_the_same_whatever_its_words_and_a_bots_own_words_are_taken_exactly() -> None:
    assert said("dead since 12", Kind.BOT_DEAD) == said("gone", Kind.BOT_DEAD)
    assert said("filled 1", Kind.BOT_NOTIFIED) != said("filled 2", Kind.BOT_NOTIFIED)
