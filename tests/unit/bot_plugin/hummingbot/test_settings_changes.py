"""Configuration is changed all or nothing, by sections that know nothing of each other."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot_plugin.commands import CommandFailed
from bot_plugin.hummingbot.commands.settings import Settings
from bot_plugin.hummingbot.terms.sections import Change, Wrong, shown, simple
from schemas.command import Config


class Values:
    """A section over a dictionary: negative values are wrong, and its file may be read-only."""

    def __init__(self, name: str, *, read_only: bool = False, **values: Any) -> None:
        self.name, self.values, self.stored = name, values, dict(values)
        self.read_only = read_only

    def read(self) -> dict[str, Any]:
        return dict(self.values)

    def has(self, key: str) -> bool:
        return key in self.values

    def hides(self, key: str) -> bool:
        return key == "api_key"

    async def propose(self, changes: Sequence[Change]) -> Values.Proposal:
        if faults := {key: "is negative" for key, value in changes if value < 0}:
            raise Wrong(faults)
        return Values.Proposal(self, changes)

    class Proposal:
        def __init__(self, section: Values, changes: Sequence[Change]) -> None:
            self.section, self.changes, self.before = section, changes, dict(section.values)
            self.later = [f"{key} tomorrow" for key, _ in changes if key == "slow"]

        def apply(self) -> None:
            self.section.values.update(self.changes)
            if self.section.read_only:
                raise OSError("the disk is full")
            self.section.stored = dict(self.section.values)

        def undo(self) -> None:
            self.section.values = dict(self.before)
            self.section.stored = dict(self.before)


def settings(*sections: Values) -> tuple[Settings, list[str]]:
    told: list[str] = []
    return Settings(lambda: sections, tell=told.append), told


async def test_changes_are_made_told_and_answered_with_everything() -> None:
    """Secrets are masked in the answer and before whoever sits there."""
    client, controller = Values("client", tick=1, slow=1, api_key=1), Values("c1", size=1)
    service, told = settings(client, controller)
    answer = await service.config(Config(params=(("tick", 2), ("slow", 3), ("api_key", 7), ("size", 4))))

    assert (client.stored, controller.stored) == ({"tick": 2, "slow": 3, "api_key": 7}, {"size": 4})
    assert answer.msg == "takes effect later: slow tomorrow"
    assert answer.more["changes"] == [("tick", 2), ("slow", 3), ("api_key", "[redacted]"), ("size", 4)]
    assert answer.more["config"] == {"client": client.values, "strategy": {}, "controllers": {"c1": {"size": 4}}}
    assert told == ["Changed by a remote command: tick = 2, slow = 3, api_key = [redacted], size = 4"]


async def test_without_changes_everything_is_told_and_nobody_is_disturbed() -> None:
    """Reading changes nothing."""
    service, told = settings(Values("client", tick=1))
    answer = await service.config(Config())

    assert (answer.msg, answer.more["changes"], told) == ("", [], [])
    assert answer.more["config"] == {"client": {"tick": 1}, "strategy": {}}


async def test_every_wrong_key_of_every_section_is_named_and_nothing_is_changed() -> None:
    """Not only the first."""
    client, controller = Values("client", tick=1, size=1), Values("c1", most=1)
    service, _ = settings(client, controller)
    with pytest.raises(CommandFailed) as failed:
        await service.config(Config(params=(("size", 5), ("tick", -1), ("most", -2))))

    assert str(failed.value) == "nothing was changed: tick: is negative; most: is negative"
    assert (client.values, controller.values) == ({"tick": 1, "size": 1}, {"most": 1})


async def test_a_key_may_be_spelled_as_the_reply_shows_it() -> None:
    """With its section before it, which then owns it, also where another has a key of that name; a secret stays one."""
    client, strategy = Values("client", pair=1, api_key=1), Values("strategy", pair=1)
    controller = Values("c1", **{"c1.size": 1})
    service, told = settings(client, strategy, controller)
    params = (("strategy.pair", 2), ("client.api_key", 7), ("controllers.c1.size", 3))
    answer = await service.config(Config(params=params))

    assert (client.stored, strategy.stored) == ({"pair": 1, "api_key": 7}, {"pair": 2})
    assert controller.stored == {"c1.size": 3}
    assert answer.more["changes"] == [
        ("strategy.pair", 2),
        ("client.api_key", "[redacted]"),
        ("controllers.c1.size", 3),
    ]
    assert "7" not in told[0]


@pytest.mark.parametrize("key", ["client.x", "strategy.tick", "controllers.tick.x", "client.", "client"])
async def test_a_section_before_a_key_that_it_has_not_is_unknown(key: str) -> None:
    """Nothing is guessed."""
    service, _ = settings(Values("client", tick=1))
    with pytest.raises(CommandFailed, match="Invalid param key"):
        await service.config(Config(params=((key, 2),)))


async def test_unknown_keys_are_all_named() -> None:
    """In Hummingbot's own words."""
    service, _ = settings(Values("client", tick=1))
    with pytest.raises(CommandFailed, match=r"Invalid param key\(s\): \['x', 'y'\]; nothing was changed"):
        await service.config(Config(params=(("x", 1), ("tick", 2), ("y", 3))))


@given(st.lists(st.booleans(), min_size=1, max_size=4))
async def test_a_file_that_cannot_be_written_takes_every_section_back(read_only: list[bool]) -> None:
    """Whichever of them it is: memory and files are as before, or all are changed."""
    sections = [Values(f"c{index}", read_only=each, **{f"k{index}": 1}) for index, each in enumerate(read_only)]
    service, _ = settings(*sections)
    wanted = Config(params=tuple((f"k{index}", 2) for index in range(len(sections))))
    if any(read_only):
        with pytest.raises(CommandFailed, match="nothing was changed: the disk is full"):
            await service.config(wanted)
    else:
        await service.config(wanted)

    value = 1 if any(read_only) else 2
    for index, section in enumerate(sections):
        assert section.values == section.stored == {f"k{index}": value}


class Hidden:
    def __init__(self, value: str) -> None:
        self.value = value

    def get_secret_value(self) -> str:
        return self.value


@pytest.mark.parametrize(
    ("name", "value", "told"),
    [
        ("mqtt_bridge.mqtt_password", "x", "[redacted]"),
        ("mqtt_bridge.mqtt_password", "", ""),
        ("any", Hidden("x"), "[redacted]"),
        ("any", Hidden(""), ""),
        ("rate_oracle_source.api_key", None, None),
        ("token", "ETH", "ETH"),
        ("nested", {"api_key": "x", "size": 1}, {"api_key": "[redacted]", "size": 1}),
        ("size", Decimal("1.50"), Decimal("1.50")),
        ("price", float("nan"), None),
    ],
)
def test_secrets_are_masked_by_type_and_by_name_and_empty_ones_are_shown_empty(
    name: str, value: Any, told: Any
) -> None:
    """Whether a password is set may be seen."""
    assert shown(name, value) == told


def test_numbers_come_as_validators_take_them() -> None:
    """A request's exact decimals are no type that Hummingbot's models know for integers and floats."""
    wanted = simple({"a": [Decimal("2.0"), Decimal("0.5"), True, "x", None]})

    assert wanted == {"a": [2, 0.5, True, "x", None]}
    assert [type(each) for each in wanted["a"]] == [int, float, bool, str, type(None)]
