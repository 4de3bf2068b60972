"""The codes of every problem, with their statuses."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from gateway.errors import Code
from gateway.web.problem import CONTENT_TYPE
from schemas.export import Document

STATUSES: Mapping[str, int] = {
    **{code.code: code.status for code in Code},
    "bad_request": 400,
    "unauthorised": 401,
    "forbidden": 403,
    "forbidden_host": 403,
    "forbidden_origin": 403,
    "not_found": 404,
    "unknown_bot": 404,
    "unknown_command": 404,
    "unknown_signal": 404,
    "unknown_source": 404,
    "method_not_allowed": 405,
    "timeout": 408,
    "nothing_to_withdraw": 409,
    "refused_by_bot": 409,
    "unsupported_media_type": 415,
    "too_many": 429,
    "internal": 500,
    "not_delivered": 503,
    "not_stored": 503,
    "unanswered": 504,
}


class Problems:
    """The problems that a document's operations answer with, by name, so that each stands there once."""

    def __init__(self, problem: Document) -> None:
        self._problem = problem
        self.responses: dict[str, Document] = {}

    def answers(self, codes: Iterable[str]) -> dict[str, Document]:
        """References to the answers for some codes, by status."""
        by_status: dict[int, list[str]] = {}
        for code in sorted(codes):
            by_status.setdefault(STATUSES[code], []).append(code)
        return {str(status): self._refer(status, codes) for status, codes in by_status.items()}

    def _refer(self, status: int, codes: list[str]) -> Document:
        name = ".".join(codes)
        if name not in self.responses:
            self.responses[name] = self._answer(status, codes)
        return {"$ref": f"#/components/responses/{name}"}

    def _answer(self, status: int, codes: list[str]) -> Document:
        narrowed = {"properties": {"status": {"const": status}, "code": {"enum": codes}}}
        answer: Document = {
            "description": ", ".join(f"`{code}`" for code in codes),
            "content": {CONTENT_TYPE: {"schema": {"allOf": [self._problem, narrowed]}}},
        }
        if header := _HEADERS.get(status):
            answer["headers"] = {header: {"schema": {"type": "string"}}}
        return answer


_HEADERS = {401: "WWW-Authenticate", 429: "Retry-After", 503: "Retry-After"}
