"""What the plugin relies on in Hummingbot is asked for, and named where it is missing."""

from __future__ import annotations

import types

import pytest

from bot_plugin.hummingbot.internals.fit import TRIED, VERSION, Unfit, importing, offers, require


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


@pytest.mark.parametrize(
    ("error", "missing"),
    [
        (
            ModuleNotFoundError("No module named 'x'", name="hummingbot.client.runner"),
            "module hummingbot.client.runner",
        ),
        (
            ImportError("cannot import name 'Clock' from 'hummingbot.core' (/x)", name="hummingbot.core"),
            "Clock in hummingbot.core",
        ),
    ],
)
def test_what_cannot_be_imported_of_hummingbot_is_named_as_what_it_lacks(error: ImportError, missing: str) -> None:
    """A module, or a name in one; with the versions, as everything that it lacks."""
    with pytest.raises(Unfit) as caught, importing():
        raise error

    assert caught.value.missing == missing
    assert TRIED[0] in str(caught.value)


def test_what_cannot_be_imported_of_others_is_told_as_it_is() -> None:
    """Hummingbot is not what lacks it."""
    with pytest.raises(ModuleNotFoundError, match="yaml"), importing():
        raise ModuleNotFoundError("No module named 'yaml'", name="yaml")
