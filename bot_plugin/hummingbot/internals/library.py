"""The files that may be started or imported: where Hummingbot keeps them, and what they hold."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from bot_plugin.commands import CommandFailed
from bot_plugin.hummingbot.internals.application import folder
from bot_plugin.hummingbot.internals.fit import require
from bot_plugin.hummingbot.internals.saving import write
from bot_plugin.hummingbot.terms.plan import Library, Shelf

_FOLDERS = {
    Shelf.SCRIPTS: "SCRIPT_STRATEGY_CONF_DIR_PATH",
    Shelf.CONTROLLERS: "CONTROLLERS_CONF_DIR_PATH",
    Shelf.STRATEGIES: "STRATEGIES_CONF_DIR_PATH",
}


class Files:
    """The files of an application.

    Args:
        application: the running one.
    """

    def __init__(self, application: Any) -> None:
        self._application = application

    @property
    def library(self) -> Library:
        """What may be started."""
        scripts = Path(require(self._application, "trading_core.scripts_path")).resolve()
        return Library(script=lambda name: scripts / f"{name}.py", conf=self.conf, read=read)

    def conf(self, shelf: Shelf, name: str) -> Path:
        """The file of a configuration."""
        return conf(shelf, name)

    def generate(self, name: str, *, script: str, controllers: tuple[str, ...]) -> bool:
        """Write the configuration that runs controllers, unless it is there; whether it was written.

        Args:
            name: its file.
            script: that runs them.
            controllers: the files of the controllers' configurations.

        Raises:
            CommandFailed: another configuration has that name.
            NotSaved: it cannot be written.
        """
        path = conf(Shelf.SCRIPTS, name)
        if path.exists():
            held = read(path)
            if held.get("script_file_name") == f"{script}.py" and held.get("controllers_config") == list(controllers):
                return False
            raise CommandFailed(f"{path} is there, and is no configuration that runs {', '.join(controllers)} alone")
        listed = "".join(f"- {controller}\n" for controller in controllers)
        text = f"script_file_name: {script}.py\ncontrollers_config:\n{listed}"
        write(path, lambda: _write(path, text))
        return True

    def forget(self, name: str) -> None:
        """Remove a configuration that was generated for a start that failed."""
        with suppress(OSError):
            conf(Shelf.SCRIPTS, name).unlink(missing_ok=True)


def conf(shelf: Shelf, name: str) -> Path:
    """The file of a configuration."""
    return folder(_FOLDERS[shelf]) / name


def read(path: Path) -> Mapping[str, Any]:
    """What a YAML file holds.

    Raises:
        CommandFailed: it cannot be read, or is no mapping.
    """
    from hummingbot.client.config.config_helpers import read_yml_file  # noqa: PLC0415

    try:
        held: Mapping[str, Any] = read_yml_file(path)
    except Exception as error:
        words = " ".join(str(error).split())
        raise CommandFailed(f"{path} cannot be read as YAML: {words[:300]}") from error
    return held


def _write(path: Path, text: str) -> None:
    path.write_text(text, encoding="utf-8")
