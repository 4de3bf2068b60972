"""The API of the bots: which there are and how they are, what one told lately, and that one is gone for good."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from aiohttp.web import BaseRequest, Response

from gateway.bots import Roster
from gateway.bots.absence import UNKNOWN
from gateway.bots.roster import BotState
from gateway.web import bot_views, views
from gateway.web.problem import Problem
from gateway.web.query import limit, number
from schemas.fields import is_name

_LATELY = 50
_LINES = 100


class BotsApi:
    """Shows the roster, and takes bots off it."""

    def __init__(self, roster: Roster) -> None:
        self._roster = roster

    async def all(self, _: BaseRequest) -> Response:
        """Every bot that has a login, is named by a source, showed a card or was heard."""
        return views.answer({"bots": [bot_views.bot(state) for state in self._roster.bots()]})

    async def one(self, _: BaseRequest, *, name: str) -> Response:
        """One bot, and what it told lately."""
        shown = bot_views.bot(self._known(name))
        lately = {
            word: self._roster.told(name, channel, limit=_LATELY)
            for word, channel in (("events", "events"), ("notifications", "notify"), ("performance", "performance"))
        }
        return views.answer(shown | bot_views.told(**lately))

    async def logs(self, request: BaseRequest, *, name: str) -> Response:
        """The newest log lines of a bot, or, with ``after``, the first ones after that."""
        self._known(name)
        after = number(request, "after")
        lines = self._roster.told(name, "log", limit=limit(request, usual=_LINES), after=after)
        last = lines[-1][0] if lines else after or 0
        return views.answer({"name": name, "logs": bot_views.logs(lines), "next": last})

    async def forget(self, name: str, _: Mapping[str, Any]) -> Response:
        """Forget a bot; the same answer for one that was never known, but for ``known``."""
        if not is_name(name):
            raise Problem.bad_request("A bot's name has only A-Z a-z 0-9 _ and -, 1 to 128 of them.")
        forgotten = await self._roster.forget(name)
        return views.answer({"name": name, "known": forgotten.known, "card_cleared": forgotten.cleared})

    def _known(self, name: str) -> BotState:
        state = self._roster.bot(name)
        if state is None:
            detail = f"There is no bot {name[:64]}: {UNKNOWN}"
            raise Problem(404, "unknown_bot", "No bot has this name", detail=detail)
        return state
