"""Which of a command's parameters are secrets, and that a text loses them."""

from __future__ import annotations

from typing import Any

import pytest

from bot_plugin.commands.secrecy import without_secrets


@pytest.mark.parametrize(
    "data",
    [
        {"api_key": "k3y-of-mine"},
        {"params": [["spread", 1], ["binance_api_secret", "k3y-of-mine"]]},
        {"deep": [{"Passphrase": {"inner": ["k3y-of-mine"]}}]},
    ],
)
def test_the_value_of_a_secret_name_is_taken_out_of_a_text(data: Any) -> None:
    assert without_secrets("with k3y-of-mine it fails", data) == "with [redacted] it fails"


@pytest.mark.parametrize("data", [{}, {"spread": "k3y-of-mine"}, {"password": None}, [["token", True]], "x", 7])
def test_other_values_stay(data: Any) -> None:
    assert without_secrets("with k3y-of-mine it fails", data) == "with k3y-of-mine it fails"
