"""The controllers of a strategy that runs: their reports, and their configurations, which are read again every 10 s."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bot_plugin.hummingbot.internals import library
from bot_plugin.hummingbot.internals.fit import require
from bot_plugin.hummingbot.internals.saving import write
from bot_plugin.hummingbot.terms.faults import fields_of, why
from bot_plugin.hummingbot.terms.plan import Shelf
from bot_plugin.hummingbot.terms.sections import Change, Proposal, Wrong, secret_name, shown, simple


def of(strategy: Any | None) -> Mapping[str, Any]:
    """The controllers of a strategy, by id; none where it has none."""
    found = getattr(strategy, "controllers", None)
    return found if isinstance(found, Mapping) else {}


def reports(strategy: Any | None) -> dict[str, Any]:
    """How each controller does, by id, as Hummingbot reckons it; None where it has not yet."""
    ask = getattr(strategy, "get_performance_report", None)
    return {name: ask(name) if callable(ask) else None for name in of(strategy)}


def sections(strategy: Any | None) -> list[ControllerSection]:
    """The configurations of the controllers that run, each with its file where it has one."""
    files = {}
    for name in getattr(getattr(strategy, "config", None), "controllers_config", None) or ():
        path = library.conf(Shelf.CONTROLLERS, str(name))
        files[str(library.read(path).get("id"))] = path
    found = of(strategy)
    return [ControllerSection(name, each, files.get(name), alone=len(found) == 1) for name, each in found.items()]


class ControllerSection:
    """The configuration of one controller.

    Args:
        name: its id.
        controller: itself.
        path: of its file; None where no file has its id.
        alone: whether its keys need no id before them.
    """

    def __init__(self, name: str, controller: Any, path: Path | None, *, alone: bool) -> None:
        self.name, self._controller, self._path, self._alone = name, controller, path, alone

    @property
    def _fields(self) -> Mapping[str, Any]:
        fields: Mapping[str, Any] = require(type(self._controller.config), "model_fields")
        return fields

    def read(self) -> dict[str, Any]:
        """Every value by its field."""
        return {name: shown(name, getattr(self._controller.config, name)) for name in self._fields}

    def has(self, key: str) -> bool:
        """Whether a key is the controller's: its id and a field, or a field alone where it is the only one."""
        return self._field(key) in self._fields if self._alone else key.startswith(f"{self.name}.")

    def hides(self, key: str) -> bool:
        """Whether the field's type, or its name, says that it is a secret."""
        value = getattr(self._controller.config, self._field(key), None)
        return hasattr(value, "get_secret_value") or secret_name(key)

    async def propose(self, changes: Sequence[Change]) -> Proposal:
        """Make a new configuration of the file and the changes.

        Raises:
            Wrong: naming every key that is wrong, in the validator's words.
        """
        keys = {self._field(key): key for key, _ in changes}
        if self._path is None:
            raise Wrong(dict.fromkeys(keys.values(), "no file of conf/controllers has this controller's id"))
        faults = {key: self._refusal(field) for field, key in keys.items() if self._refusal(field)}
        if faults:
            raise Wrong(faults)
        values = {self._field(key): simple(value) for key, value in changes}
        try:
            config = type(self._controller.config)(**{**library.read(self._path), **values})
        except Exception as error:
            named = {keys.get(field.split(".", 1)[0], field): words for field, words in fields_of(error)}
            raise Wrong(named or dict.fromkeys(keys.values(), why(error))) from error
        return ControllerChanges(
            controller=self._controller, path=self._path, values=values, config=config, before=self._controller.config
        )

    def _field(self, key: str) -> str:
        return key.removeprefix(f"{self.name}.")

    def _refusal(self, field: str) -> str:
        if field not in self._fields:
            return "the controller has no such field"
        if not (self._fields[field].json_schema_extra or {}).get("is_updatable", False):
            return "it cannot be changed while the controller runs: its model does not mark it as updatable"
        return ""


@dataclass(slots=True, kw_only=True)
class ControllerChanges:
    """Changes of a controller that are valid."""

    controller: Any
    path: Path
    values: Mapping[str, Any]
    config: Any
    before: Any
    later: tuple[str, ...] = ()
    _file: bytes = b""

    def apply(self) -> None:
        """Change the file, which is read again every 10 s, and the controller at once."""
        self._file = self.path.read_bytes()
        write(self.path, lambda: _edit(self.path, self.values))
        require(self.controller, "update_config")(self.config)

    def undo(self) -> None:
        """Put both back."""
        if self._file:
            self.path.write_bytes(self._file)
            self.controller.update_config(self.before)


def _edit(path: Path, values: Mapping[str, Any]) -> None:
    """Set values in a YAML file, and leave its comments and order."""
    from hummingbot.client.config.config_helpers import yaml_parser  # noqa: PLC0415

    with path.open(encoding="utf-8") as file:
        held = yaml_parser.load(file)
    held.update(values)
    with path.open("w", encoding="utf-8") as file:
        yaml_parser.dump(held, file)
