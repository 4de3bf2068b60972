"""The API of the signals: what came in, what became of it, what was refused, and how one is stopped."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Protocol

from aiohttp.web import BaseRequest, Response

from gateway.journal.journal import Journal
from gateway.web import views
from gateway.web.problem import Problem
from gateway.web.query import window
from gateway.withdrawal import NothingToWithdraw, Withdrawn

_ID = re.compile(r"[0-9A-Za-z-]{1,64}", re.ASCII)


class Withdraw(Protocol):
    """See ``Withdrawals.withdraw``."""

    async def __call__(self, id_: str, *, reason: str) -> Withdrawn: ...


class SignalsApi:
    """Shows the journal, and withdraws signals."""

    def __init__(self, journal: Journal, *, withdraw: Withdraw) -> None:
        self._journal = journal
        self._withdraw = withdraw

    async def all(self, request: BaseRequest) -> Response:
        """The newest signals, a page at a time."""
        source, before, limit = window(request)

        async def fetch(most: int) -> list[Any]:
            return await self._journal.lives(source=source, before=before, limit=most)

        lives, after = await views.page(fetch, limit=limit, key="accepted_at")
        return views.answer({"signals": [views.signal(life) for life in lives], "next": after})

    async def one(self, _: BaseRequest, *, id_: str) -> Response:
        """The life of one signal."""
        life = await self._journal.life(id_) if _ID.fullmatch(id_) else None
        if life is None:
            raise _unknown_signal(id_)
        return views.answer(views.signal(life))

    async def refusals(self, request: BaseRequest) -> Response:
        """The newest refused requests, a page at a time."""
        source, before, limit = window(request)

        async def fetch(most: int) -> list[Any]:
            return await self._journal.refusals(source=source, before=before, limit=most)

        refusals, after = await views.page(fetch, limit=limit, key="at")
        return views.answer({"refusals": [views.refusal(refusal) for refusal in refusals], "next": after})

    async def withdraw(self, id_: str, document: Mapping[str, Any]) -> Response:
        """Stop a signal."""
        reason = document.get("reason")
        if not isinstance(reason, str | None):
            raise Problem.bad_request("reason is a text.")
        reason = reason or "the operator withdrew it"
        try:
            sent = (await self._withdraw(id_, reason=reason)).message
        except LookupError:
            raise _unknown_signal(id_) from None
        except NothingToWithdraw as ended:
            title = "The signal cannot be stopped any more"
            raise Problem(409, "nothing_to_withdraw", title, detail=str(ended)) from None
        if sent is None:
            return views.answer({"id": id_, "status": "withdrawn"})
        return views.answer({"id": id_, "status": "sent", "withdrawal": sent}, status=202)


def _unknown_signal(id_: str) -> Problem:
    detail = f"There is no signal {id_[:64]}: see signals --refused; or it is forgotten, or never was."
    return Problem(404, "unknown_signal", "No signal has this id", detail=detail)
