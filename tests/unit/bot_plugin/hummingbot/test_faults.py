"""Errors of Hummingbot become words that name what is wrong, and no secret."""

from __future__ import annotations

from typing import Any

import pytest

from bot_plugin.hummingbot.terms.faults import why

KEY = "0123456789abcdef"


class ValidationError(ValueError):
    """As pydantic's: ``errors()`` lists the fields, and its text shows the values."""

    title = "ScriptConfig"

    def __init__(self, *entries: Any) -> None:
        super().__init__(f"input_value='{KEY}'")
        self.entries = entries

    def errors(self) -> list[Any]:
        return list(self.entries)


def create_connector(name: str) -> None:
    {}[name]


def other(name: str) -> None:
    {}[name]


def split_hb_trading_pair(trading_pair: str) -> list[tuple[str, str]]:
    return [(base, quote) for base, quote in [trading_pair.split("-")]]


def columns(trading_pair: str) -> None:
    _base, _quote = trading_pair, *"abc"


def raised(function: Any, *arguments: Any) -> BaseException:
    with pytest.raises(Exception) as error:
        function(*arguments)
    return error.value


def test_every_field_that_a_model_refuses_is_named_in_its_words_without_the_value() -> None:
    """The model's own text would show what was given, which may be a secret."""
    error = ValidationError(
        {"loc": ("order", "size"), "msg": "Input should be greater than 0", "input": KEY},
        {"loc": (), "msg": "Value error, bid is above ask"},
    )

    assert why(error) == "order.size: Input should be greater than 0; ScriptConfig: bid is above ask"


@pytest.mark.parametrize("broken", [None, "text", [1], []])
def test_an_error_with_other_errors_of_its_own_is_told_as_any(broken: Any) -> None:
    """Other libraries have a method of that name too."""
    error = ValueError("no price")
    error.errors = lambda: broken  # type: ignore[attr-defined]

    assert why(error) == "no price"


def test_an_unknown_exchange_is_told_as_such_and_another_missing_key_is_not() -> None:
    """Hummingbot's own error for it is the bare name."""
    assert why(raised(create_connector, "mars"), exchanges={"kraken"}) == "Hummingbot has no exchange 'mars'"
    assert why(raised(create_connector, "kraken"), exchanges={"kraken"}) == "KeyError: 'kraken'"
    assert why(raised(other, "mars")) == "KeyError: 'mars'"


@pytest.mark.parametrize("pair", ["BTCUSDT", "BTC/USDT", "BTC-USDT-PERP", ""])
def test_a_pair_that_cannot_be_taken_apart_is_named_with_how_it_is_spelled(pair: str) -> None:
    """Hummingbot's own words are Python's, and name neither the pair nor a field."""
    assert why(raised(split_hb_trading_pair, pair)) == (
        f"a pair is spelled BTC-USDT, not {pair!r}: look in the configuration for the markets that it names"
    )


def test_another_value_that_cannot_be_unpacked_is_told_as_it_is() -> None:
    """Also where a pair that is spelled well stands beside it."""
    assert why(raised(columns, "BTC-USDT")).startswith("too many values to unpack")


def test_a_missing_file_and_a_missing_module_are_named() -> None:
    """The path or the module is what its user can mend."""
    assert why(raised(open, "/no/such/file")) == "there is no file /no/such/file"
    assert why(ModuleNotFoundError("No module named 'controllers.x'")) == "No module named 'controllers.x'"


def test_a_secret_that_an_error_repeats_is_masked() -> None:
    """In a plain error, and in a validator's words."""
    assert why(RuntimeError(f"{KEY} is no key"), secrets=(KEY,)) == "RuntimeError: [redacted] is no key"
    error = ValidationError({"loc": ("port",), "msg": f"{KEY} is no port"})
    assert why(error, secrets=(KEY,)) == "port: [redacted] is no port"
