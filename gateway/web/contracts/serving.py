"""Serves the contract: the documents to whoever has a key, the page, which tells nothing of this gateway, to all."""

from __future__ import annotations

from functools import cached_property

from aiohttp.web import BaseRequest, Response

from gateway.web.contracts.documents import documents, spelled
from gateway.web.contracts.page import POLICY, page
from gateway.web.problem import Problem
from schemas.topics import Topics

_SAFE = {"Cache-Control": "no-cache", "X-Content-Type-Options": "nosniff"}
_JSON = {"Content-Type": "application/json", **_SAFE}
_HTML = {"Content-Type": "text/html; charset=utf-8", "Content-Security-Policy": POLICY, **_SAFE}

FILES = ("openapi.json", "openapi-public.json", "asyncapi.json")
"""The documents beside the JSON Schemas."""


class ContractsApi:
    """The documents for a topic tree, made when they are asked for."""

    def __init__(self, topics: Topics) -> None:
        self._topics = topics

    async def document(self, _: BaseRequest, *, path: str) -> Response:
        """One document."""
        body = self._documents.get(path)
        if body is None:
            raise Problem.not_found()
        return Response(body=body, headers=_JSON)

    async def page(self, _: BaseRequest) -> Response:
        """The page."""
        return Response(body=self._page, headers=_HTML)

    @cached_property
    def _documents(self) -> dict[str, bytes]:
        return {path: spelled(document) for path, document in documents(self._topics).items()}

    @cached_property
    def _page(self) -> bytes:
        return page(documents(Topics()))
