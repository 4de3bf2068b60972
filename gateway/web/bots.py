"""The API of the bots: which there are and how they are, and that one is gone for good."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from aiohttp.web import BaseRequest, Response

from gateway.bots import Roster
from gateway.web import views
from gateway.web.problem import Problem
from schemas.fields import is_name


class BotsApi:
    """Shows the roster, and takes bots off it."""

    def __init__(self, roster: Roster) -> None:
        self._roster = roster

    async def all(self, _: BaseRequest) -> Response:
        """Every bot that has a login or showed a card."""
        return views.answer({"bots": [views.bot(state) for state in self._roster.bots()]})

    async def forget(self, name: str, _: Mapping[str, Any]) -> Response:
        """Forget a bot; the same answer for one that was never known, but for ``known``."""
        if not is_name(name):
            raise Problem.bad_request("A bot's name has only A-Z a-z 0-9 _ and -, 1 to 128 of them.")
        forgotten = await self._roster.forget(name)
        return views.answer({"name": name, "known": forgotten.known, "card_cleared": forgotten.cleared})
