"""Configurations that Hummingbot has a model of: its own, of newer strategies, and of scripts."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bot_plugin.hummingbot.internals.fit import require
from bot_plugin.hummingbot.internals.saving import save_model
from bot_plugin.hummingbot.terms.faults import why
from bot_plugin.hummingbot.terms.sections import Change, Proposal, Wrong, secret_name, shown, simple

_OF_HUMMINGBOT = ("mqtt_bridge", "instance_id", "gateway", "log_file_path", "paper_trade.paper_trade_exchanges")
_OF_LOGIN = ("mqtt_bridge.mqtt_", "instance_id")
_MAY_LOCK_OUT = (
    "a value that is wrong keeps the bot off the broker then, beyond the reach of commands, until conf_client.yml is "
    "mended by hand"
)
_OF_STRATEGY = (
    "tick_size", "kill_switch_mode", "db_mode", "rate_limits_share_pct", "paper_trade", "market_data_collection",
    "anonymized_metrics_mode",
)  # fmt: skip
"""What is read when Hummingbot, or a strategy, is started, and not again."""


class Model:
    """The values of a model.

    Args:
        name: of the section.
        config: Hummingbot's adapter of the model.
        path: of its file.
        refusal: why nothing of it can be changed now; empty where it can.
    """

    def __init__(self, name: str, config: Any, path: Path, *, refusal: str = "") -> None:
        self.name, self._config, self._path, self._refusal = name, config, path, refusal

    def read(self) -> dict[str, Any]:
        """Every value by its path; of one that is a choice of models, the model's title."""
        values: dict[str, Any] = {}
        for item in require(self._config, "traverse")():
            if not _is_model(item.value):
                values[item.config_path] = shown(item.config_path, item.value, secret=_is_secret(item))
            elif item.printable_value:
                values[item.config_path] = item.printable_value
        return values

    def has(self, key: str) -> bool:
        """Whether a path is the model's."""
        return any(item.config_path == key for item in self._config.traverse()) or (
            "." in key and self.has(key.split(".", 1)[0])
        )

    def hides(self, key: str) -> bool:
        """Whether the model, or its name, says that a value is a secret."""
        return any(item.config_path == key and _is_secret(item) for item in self._config.traverse()) or secret_name(key)

    async def propose(self, changes: Sequence[Change]) -> Proposal:
        """Try changes on a copy.

        Raises:
            Wrong: naming every key that is wrong, in the validator's words.
        """
        if self._refusal:
            raise Wrong(dict.fromkeys((key for key, _ in changes), self._refusal))
        copy, faults = require(self._config, "full_copy")(), {}
        with _same_rates(keep=True):
            for key, value in changes:
                if words := _problem(copy, key, simple(value)):
                    faults[key] = words
            lacking = [path for path in _missing(copy) if path not in _missing(self._config)]
            faults = faults or dict.fromkeys(lacking, "is required by what was chosen")
        if faults:
            raise Wrong(faults)
        return ModelChanges(config=self._config, path=self._path, changes=tuple(changes), save=save_model)


@dataclass(slots=True, kw_only=True)
class ModelChanges:
    """Changes of a model that are valid."""

    config: Any
    path: Path
    changes: tuple[Change, ...]
    save: Callable[[Path, Any], None]
    _before: Any = None

    @property
    def later(self) -> Sequence[str]:
        """What has an effect only when Hummingbot, or a strategy, is started."""
        keys = [key for key, _ in self.changes]
        of_hummingbot = [key for key in keys if key.startswith(_OF_HUMMINGBOT)]
        of_strategy = [key for key in keys if key.startswith(_OF_STRATEGY) and key not in of_hummingbot]
        told = ((of_hummingbot, "Hummingbot"), (of_strategy, "a strategy"))
        later = [f"{', '.join(found)} when {what} is started" for found, what in told if found]
        return later + ([_MAY_LOCK_OUT] if any(key.startswith(_OF_LOGIN) for key in of_hummingbot) else [])

    def apply(self) -> None:
        """Change the model in place, as others hold it, and its file."""
        self._before = self.config.full_copy()
        with _same_rates(keep=not self._rates):
            for key, value in self.changes:
                _assign(self.config, key, simple(value))
        self.save(self.path, self.config)

    @property
    def _rates(self) -> bool:
        return any(key.split(".", 1)[0] in {"rate_oracle_source", "global_token"} for key, _ in self.changes)

    def undo(self) -> None:
        """Put the values back; the file was put back by whoever could not write it, else it is written again."""
        if self._before is None:
            return
        with _same_rates(keep=not self._rates):
            for key in dict.fromkeys(_chosen(self._before, key) for key, _ in self.changes):
                owner, name = _owner(self._before, key)
                value = getattr(owner, name)
                _assign(self.config, key, value.hb_config if _is_model(value) else value)
        self.save(self.path, self.config)


def _problem(config: Any, key: str, value: Any) -> str:
    """Why a key of a model cannot have a value; empty where it was set."""
    item = next((each for each in config.traverse() if each.config_path == key), None)
    if item is None:
        return "there is no such key in the mode that is chosen"
    if item.client_field_data is None or item.client_field_data.prompt is None:
        return "Hummingbot does not let it be changed by a command: change it in the file, and start Hummingbot again"
    try:
        _assign(config, key, value)
    except KeyError:
        return f"{value!r} is none of its choices"
    except Exception as error:  # noqa: BLE001  # validators raise what they like
        words = why(error, secrets=(str(value),) if _is_secret(item) else ())
        return words.removeprefix("ConfigValidationError: ").removeprefix("Value error, ")
    return ""


def _missing(config: Any) -> list[str]:
    """The values that a model lacks: a choice of models comes without those that have no default."""
    found = [item.config_path for item in config.traverse() if not _is_model(item.value)]
    return [path for path in found if not hasattr(*_owner(config, path))]


def _chosen(config: Any, key: str) -> str:
    """The part of a path that is to be put back: the choice of a model, where it lies in one, else the path."""
    choices = {item.config_path for item in config.traverse() if _is_model(item.value) and item.printable_value}
    parts = key.split(".")
    prefixes = (".".join(parts[: count + 1]) for count in range(len(parts)))
    return next((prefix for prefix in prefixes if prefix in choices), key)


def _is_secret(item: Any) -> bool:
    secure = bool(item.client_field_data and item.client_field_data.is_secure)
    return secure or hasattr(item.value, "get_secret_value") or secret_name(item.config_path)


def _assign(config: Any, key: str, value: Any) -> None:
    owner, name = _owner(config, key)
    setattr(owner, name, value)


def _owner(config: Any, key: str) -> tuple[Any, str]:
    *above, name = key.split(".")
    for each in above:
        config = getattr(config, each)
    return config, name


def _is_model(value: Any) -> bool:
    return hasattr(value, "hb_config")


@contextmanager
def _same_rates(*, keep: bool) -> Iterator[None]:
    """Leave the rate oracle's source as it is: the client's model replaces it at each validation, also of a copy."""
    from hummingbot.core.rate_oracle.rate_oracle import RateOracle  # noqa: PLC0415

    oracle = require(RateOracle, "get_instance")()
    source, quote = require(oracle, "source"), require(oracle, "quote_token")
    try:
        yield
    finally:
        if keep:
            oracle.source, oracle.quote_token = source, quote
