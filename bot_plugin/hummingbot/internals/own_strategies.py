"""Hummingbot's own strategies: their configurations are files of ``conf/strategies``, of two kinds.

The newer kind is a model; the older one a mapping of variables that the module of the strategy has, once per process.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from bot_plugin.hummingbot.internals.fit import require
from bot_plugin.hummingbot.internals.overheard import Overheard


class NotLoaded(Exception):
    """A configuration cannot be used; the text or the cause says why."""


def problem_of(path: Path) -> str | None:
    """Why a file configures none of Hummingbot's own strategies; None where it does."""
    from hummingbot.client.config.config_helpers import validate_strategy_file  # noqa: PLC0415

    try:
        problem: str | None = validate_strategy_file(path)
    except Exception as error:  # noqa: BLE001  # YAML's errors are not one class
        return f"it cannot be read as YAML: {' '.join(str(error).split())[:300]}"
    return problem


async def load(path: Path) -> Any:
    """Load a configuration; where it cannot be used, everything is as it was.

    Raises:
        NotLoaded: every field that is wrong or missing.
    """
    from hummingbot.client import settings  # noqa: PLC0415
    from hummingbot.client.config import config_helpers  # noqa: PLC0415

    name = require(config_helpers, "strategy_name_from_file")(path)
    kept = _Kept(require(config_helpers, "get_strategy_config_map")(name), require(settings, "required_exchanges"))
    settings.required_exchanges.clear()
    try:
        return await _loaded(path)
    except BaseException:
        kept.restore()
        raise


async def _loaded(path: Path) -> Any:
    from hummingbot.client.config import config_helpers  # noqa: PLC0415

    with Overheard(logging.getLogger()) as heard:
        try:
            config = await require(config_helpers, "load_strategy_config_map_from_file")(path)
        except Exception as error:
            raise NotLoaded from error
    if heard.messages:
        raise NotLoaded("; ".join(map(_words, heard.messages[:5])))
    if lacking := missing(config):
        raise NotLoaded(f"missing: {', '.join(lacking)}")
    return config


def missing(config: Any) -> list[str]:
    """The values that a configuration lacks."""
    if not isinstance(config, dict):
        return []
    from hummingbot.client.config.config_helpers import missing_required_configs_legacy  # noqa: PLC0415

    return [str(each.key) for each in missing_required_configs_legacy(config)]


def name_in(config: Any) -> str:
    """The strategy that a configuration is of."""
    return str(config["strategy"].value if isinstance(config, dict) else config.strategy)


def required_exchanges() -> Iterable[str]:
    """The exchanges that the configuration which was loaded last asks for."""
    from hummingbot.client import settings  # noqa: PLC0415

    found: Iterable[str] = require(settings, "required_exchanges")
    return sorted(found)


def _words(message: str) -> str:
    return message.removeprefix("Error loading configs. ")


class _Kept:
    """What loading changes for the whole process, to put it back."""

    def __init__(self, config: Any, exchanges: set[str]) -> None:
        variables: Mapping[str, Any] = config if isinstance(config, dict) else {}
        self._values = [(variable, variable.value) for variable in variables.values()]
        self._exchanges, self._before = exchanges, set(exchanges)

    def restore(self) -> None:
        for variable, value in self._values:
            variable.value = value
        self._exchanges.clear()
        self._exchanges.update(self._before)
