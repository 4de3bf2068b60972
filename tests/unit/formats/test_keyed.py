"""Key names, in every spelling."""

import pytest

from gateway.formats import ACTIONS, UNITS, keyed, meaning, text
from schemas.trade import Action, Unit


@pytest.mark.parametrize(
    "key", ["order_action", "orderAction", "Order-Action", "ORDER ACTION", "strategy.order.action"]
)
def test_a_key_is_found_whatever_its_case_and_separators(key):
    assert keyed.read({key: "buy"}).fields == {"action": [(key, "buy")]}


def test_nesting_and_flat_spelling_name_the_same_field():
    nested = keyed.read({"strategy": {"order": {"action": "sell", "price": 1}, "market_position": "flat"}})
    assert nested.fields["action"] == [("strategy.order.action", "sell")]
    assert nested.fields["price"] == [("strategy.order.price", 1)]
    assert nested.fields["target"] == [("strategy.market_position", "flat")]


def test_the_best_known_spelling_comes_first():
    fields = keyed.read({"amount": 3, "qty": 2, "quantity": 1}).fields
    assert [value for _, value in fields["quantity"]] == [1, 2, 3]


def test_a_bar_is_not_the_order():
    fields = keyed.read({"bar": {"time": "t", "close": 5}, "time": "now"}).fields
    assert fields == {"opened_at": [("bar.time", "t")], "bar_close": [("bar.close", 5)], "time": [("time", "now")]}


def test_a_key_that_nobody_knows_is_kept_with_its_path():
    assert keyed.read({"strategy": {"mood": 1}, "deep": {"er": 2}}).extra == {"strategy.mood": 1, "deep": {"er": 2}}


def test_a_very_long_key_is_kept_and_not_looked_up():
    assert keyed.read({"k" * 5000: 1}).extra == {"k" * 5000: 1}


def test_a_text_is_its_own_message():
    assert text.read(" hello\n").fields == {"message": [("", "hello")]}


@pytest.mark.parametrize(
    ("word", "action"),
    [("BUY", Action.BUY), ("ENTER-LONG", Action.BUY), ("Exit_Short", Action.CLOSE), ("closelong", Action.CLOSE)],
)
def test_an_action_word_is_understood_in_any_spelling(word, action):
    assert meaning(ACTIONS, word).action is action


@pytest.mark.parametrize("word", ["", "buyy", "b" * 5000, None, 1, ["buy"], True])
def test_what_is_no_word_of_a_table_means_nothing(word):
    assert meaning(ACTIONS, word) is None


def test_a_percentage_of_the_balance_is_a_percentage():
    assert meaning(UNITS, "percentage_balance") is Unit.PERCENT
