"""The target of a Hummingbot: every command of the contract, and an application that is another one."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from bot_plugin.commands.target import METHODS
from bot_plugin.hummingbot.commands.target import LIMITS, HummingbotTarget, remote_commands
from bot_plugin.hummingbot.internals.fit import Unfit
from bot_plugin.settings import PluginSettings

APPLICATION = SimpleNamespace(trading_core=SimpleNamespace(), client_config_map=SimpleNamespace())


def test_it_has_every_command_of_the_contract() -> None:
    """All nine are offered, and each limit is of one of them."""
    assert set(remote_commands(APPLICATION).names(PluginSettings(bot="b"))) == set(METHODS)
    assert set(LIMITS) <= set(METHODS)


def test_an_application_without_what_it_needs_is_named_with_its_version() -> None:
    """Before anything is promised."""
    with pytest.raises(Unfit, match="has no trading_core of SimpleNamespace; the plugin was tried with 20260922"):
        HummingbotTarget(SimpleNamespace())
