"""``import``: a configuration of one of Hummingbot's own strategies becomes the one that ``start`` starts."""

from __future__ import annotations

from bot_plugin.commands import Answer, CommandFailed
from bot_plugin.hummingbot.internals import library, own_strategies
from bot_plugin.hummingbot.internals.accounts import Accounts
from bot_plugin.hummingbot.internals.own_strategies import NotLoaded
from bot_plugin.hummingbot.internals.trading import Loaded, Trading
from bot_plugin.hummingbot.terms.faults import why
from bot_plugin.hummingbot.terms.plan import Plan, Shelf, file_name
from schemas.command import Import


class Strategies:
    """Imports Hummingbot's own strategies.

    Args:
        trading: the core.
        accounts: what is configured.
    """

    def __init__(self, trading: Trading, accounts: Accounts) -> None:
        self._trading, self._accounts = trading, accounts

    async def import_(self, wanted: Import) -> Answer:
        """Import a configuration by the name of its file.

        Raises:
            CommandFailed: the file and the field that is wrong; what was imported before still is.
        """
        if self._trading.strategy is not None or self._trading.starting:
            raise CommandFailed(f"{self._trading.loaded.strategy} runs: stop it before another one is imported")
        file = file_name(wanted.strategy)
        name = await self._load(file)
        exchanges = list(own_strategies.required_exchanges())
        lacking = [name for name in exchanges if not self._usable(name)]
        on = f" on {', '.join(exchanges)}" if exchanges else ""
        keys = f"; no API keys here for {', '.join(lacking)}" if lacking else ""
        self._trading.tell(f"Configuration from {file} file is imported.")
        data = {"strategy": name, "conf": file, "exchanges": exchanges, "without_api_keys": lacking}
        return Answer(msg=f"{file} is imported: {name}{on}{keys}", more={"data": data})

    async def prepare(self, chosen: Plan) -> None:
        """Have the configuration of a plan loaded and complete.

        Raises:
            CommandFailed: what is wrong with it.
        """
        if chosen.load:
            await self._load(str(chosen.conf))
        if lacking := own_strategies.missing(self._trading.loaded.config):
            raise CommandFailed(f"{chosen.words} was not started: missing: {', '.join(lacking)}")

    async def _load(self, file: str) -> str:
        path = library.conf(Shelf.STRATEGIES, file)
        if not path.is_file():
            raise CommandFailed(f"there is no file {path}{self._elsewhere(file)}")
        if (problem := own_strategies.problem_of(path)) is not None:
            raise CommandFailed(f"{path}: {problem}{self._elsewhere(file)}")
        try:
            config = await own_strategies.load(path)
        except NotLoaded as error:
            words = str(error) if error.__cause__ is None else why(error.__cause__)
            raise CommandFailed(f"{path} cannot be used: {words}") from error
        name = own_strategies.name_in(config)
        self._trading.load(Loaded(strategy=name, file=file, config=config))
        return name

    def _elsewhere(self, file: str) -> str:
        for shelf, what in ((Shelf.SCRIPTS, "script"), (Shelf.CONTROLLERS, "controller")):
            if library.conf(shelf, file).is_file():
                return f'; {file} is the configuration of a {what}: start it with {{"conf": "{file}"}}'
        return ""

    def _usable(self, exchange: str) -> bool:
        return exchange in self._accounts.paper or exchange in self._accounts.configured
