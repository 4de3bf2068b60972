"""What one request holds: documents, and how their faults are collected."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, TypeVar

from gateway.errors import Code, Refused
from schemas.errors import Fault

MAX_FAULTS = 20

Document = dict[str, Any] | str
"""A JSON object, its numbers Decimals, or a plain text."""

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Batch:
    """The documents of a request in their order, without secrets; ``is_array`` tells how the answer is shaped."""

    documents: tuple[Document, ...]
    is_array: bool = False


def each(batch: Batch, station: Callable[[Document], _T]) -> list[_T]:
    """Take every document through a station: all of them pass, or the refusal names every bad index.

    Raises:
        Refused: with the first refusal's code, and the first 20 faults as ``[index].field`` where the body is an array.
    """
    passed: list[_T] = []
    faults: list[Fault] = []
    code: Code | None = None
    for index, document in enumerate(batch.documents):
        try:
            passed.append(station(document))
        except Refused as refused:
            code = code or refused.code
            faults += [_placed(fault, index) if batch.is_array else fault for fault in refused.faults]
    if code is not None:
        raise Refused(code, *faults[:MAX_FAULTS])
    return passed


def _placed(fault: Fault, index: int) -> Fault:
    joint = "." if fault.where and not fault.where.startswith("[") else ""
    return replace(fault, where=f"[{index}]{joint}{fault.where}")
