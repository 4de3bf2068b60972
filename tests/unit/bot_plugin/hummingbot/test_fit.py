"""What the plugin relies on in Hummingbot is asked for, and named where it is missing."""

from __future__ import annotations

import types

import pytest

from bot_plugin.hummingbot.internals.fit import TRIED, VERSION, Unfit, offers, require


class Core:
    strategy = None


class Application:
    trading_core = Core()


def test_what_is_there_is_given_through_its_owners() -> None:
    """An attribute of an attribute is found, also where it is None."""
    assert require(Application(), "trading_core") is Application.trading_core
    assert require(Application(), "trading_core.strategy") is None


def test_what_is_missing_is_named_with_its_owner_and_the_versions() -> None:
    """The error says what is missing, of what, in which version, which were tried, and what to do."""
    with pytest.raises(Unfit) as raised:
        require(Application(), "trading_core.clock.tick")

    assert raised.value.missing == "trading_core.clock of Application"
    for part in (f"version {VERSION}", *TRIED, "install that version"):
        assert part in str(raised.value)


@pytest.mark.parametrize(
    ("owner", "name"), [(types.ModuleType("hummingbot.client"), "hummingbot.client"), (Core, "Core")]
)
def test_modules_and_classes_are_called_by_their_names(owner: object, name: str) -> None:
    """Where the owner is a module or a class, it is named and not its type."""
    with pytest.raises(Unfit, match=f"no clock of {name};"):
        require(owner, "clock")


def test_what_the_plugin_can_do_without_is_asked_for_without_an_error() -> None:
    """A missing attribute is no error where there is another way."""
    assert offers(Application(), "trading_core.strategy")
    assert not offers(Application(), "trading_core.clock")
