"""Everything of an application that is configured, in sections."""

from __future__ import annotations

from typing import Any

from bot_plugin.hummingbot.internals import controllers, library
from bot_plugin.hummingbot.internals.application import client_config, folder
from bot_plugin.hummingbot.internals.fit import require
from bot_plugin.hummingbot.internals.models import Model
from bot_plugin.hummingbot.internals.variables import Variables
from bot_plugin.hummingbot.terms.plan import Shelf
from bot_plugin.hummingbot.terms.sections import Section


def sections(application: Any) -> list[Section]:
    """The sections as they are now: an older strategy's keys go before the client's, as in the UI."""
    core = require(application, "trading_core")
    client = Model("client", client_config(application), folder("CLIENT_CONFIG_PATH"))
    strategy = require(core, "strategy")
    loaded, file = require(core, "strategy_config_map"), str(require(core, "strategy_file_name") or "")
    listed: list[Section] = [client]
    if isinstance(loaded, dict):
        listed.insert(0, Variables(loaded, _own(file), application))
    elif loaded is not None:
        refusal = "" if strategy is None else "Hummingbot cannot change it while the strategy runs: stop it first"
        listed.append(Model("strategy", loaded, _own(file), refusal=refusal))
    elif getattr(strategy, "config", None) is not None:
        listed.append(_script(strategy, file))
    return listed + list(controllers.sections(strategy))


def _own(file: str) -> Any:
    name = file if file.endswith((".yml", ".yaml")) else f"{file}.yml"  # the launcher leaves its suffix out
    return library.conf(Shelf.STRATEGIES, name)


def _script(strategy: Any, file: str) -> Section:
    from hummingbot.client.config.config_helpers import ClientConfigAdapter  # noqa: PLC0415

    refusal = "a script's configuration cannot be changed while it runs: change its file, then stop and start it"
    return Model("strategy", ClientConfigAdapter(strategy.config), library.conf(Shelf.SCRIPTS, file), refusal=refusal)
