"""Configurations of Hummingbot's older strategies: a mapping of variables, each with a validator of its own."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any

from bot_plugin.hummingbot.internals.fit import require
from bot_plugin.hummingbot.internals.overheard import Overheard
from bot_plugin.hummingbot.internals.saving import save_legacy
from bot_plugin.hummingbot.terms.sections import Change, Proposal, Wrong, secret_name, shown, simple

_TYPES: dict[str, tuple[type, ...]] = {"decimal": (Decimal,), "float": (float,), "int": (int,), "bool": (bool,)}
_ADJUSTABLE = ("PureMarketMakingStrategy", "PerpetualMarketMakingStrategy")
"""The strategies that take some values while they run."""


class Variables:
    """The values of an older strategy.

    Args:
        config: its variables by key.
        path: of its file.
        application: whose strategy may run with it.
    """

    name = "strategy"

    def __init__(self, config: dict[str, Any], path: Path, application: Any) -> None:
        self._config, self._path, self._application = config, path, application

    def read(self) -> dict[str, Any]:
        """Every value by key."""
        return {key: shown(key, each.value, secret=each.is_secure) for key, each in self._config.items()}

    def has(self, key: str) -> bool:
        """Whether a key is the strategy's."""
        return key in self._config

    def hides(self, key: str) -> bool:
        """Whether the variable, or its name, says that it is a secret."""
        return bool(self._config[key].is_secure) or secret_name(key)

    async def propose(self, changes: Sequence[Change]) -> Proposal:
        """Try changes on the variables, and put them back: validators look at the other variables.

        Raises:
            Wrong: naming every key that is wrong, in the validator's words.
        """
        before, faults = self._values(), {}
        try:
            for key, value in changes:
                if words := await _problem(self._config[key], simple(value)):
                    faults[key] = words
            after = self._values()
        finally:
            _put(self._config, before)
        if faults:
            raise Wrong(faults)
        keys = tuple(key for key, _ in changes)
        return VariableChanges(
            config=self._config, path=self._path, keys=keys, before=before, after=after, application=self._application
        )

    def _values(self) -> dict[str, Any]:
        return {key: variable.value for key, variable in self._config.items()}


@dataclass(slots=True, kw_only=True)
class VariableChanges:
    """Changes of variables that are valid."""

    config: dict[str, Any]
    path: Path
    keys: tuple[str, ...]
    before: dict[str, Any]
    after: dict[str, Any]
    application: Any
    later: list[str] = field(default_factory=list)

    def apply(self) -> None:
        """Change the variables, their file, and what runs with them as far as it can be changed."""
        _put(self.config, self.after)
        save_legacy(self.path, self.config)
        later = [key for key in self.keys if not self._adjusted(key, self.after)]
        self.later = [f"{', '.join(later)} when the strategy is started"] if later else []

    def undo(self) -> None:
        """Put the values back."""
        _put(self.config, self.before)
        save_legacy(self.path, self.config)
        for key in self.keys:
            self._adjusted(key, self.before)

    def _adjusted(self, key: str, values: dict[str, Any]) -> bool:
        """Let a strategy that runs take a value; whether nothing more is to do."""
        strategy = require(self.application, "trading_core.strategy")
        if strategy is None:
            return True
        if type(strategy).__name__ not in _ADJUSTABLE:
            return False
        return bool(require(self.application, "update_running_mm")(strategy, key, values[key]))


async def _problem(variable: Any, value: Any) -> str:
    """Why a variable cannot have a value; empty where it was set."""
    from hummingbot.client.config.config_helpers import parse_cvar_value  # noqa: PLC0415

    if variable.key == "strategy":
        return "the strategy of a configuration cannot be changed: import another one"
    with Overheard(logging.getLogger()):
        try:
            parsed = parse_cvar_value(variable, value)
        except Exception:  # noqa: BLE001  # JSON's errors, and others
            return f"{value!r} is no valid {variable.type}"
    wanted = _TYPES.get(variable.type)
    if wanted and parsed is not None and (not isinstance(parsed, wanted) or (bool not in wanted and parsed is True)):
        return f"{value!r} is no valid {variable.type}"
    problem = await require(variable, "validate")(None if parsed is None else str(value))
    if problem is not None:
        return str(problem)
    variable.value = parsed
    return ""


def _put(config: dict[str, Any], values: dict[str, Any]) -> None:
    for key, value in values.items():
        config[key].value = value
