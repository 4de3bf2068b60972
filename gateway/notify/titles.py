"""Titles: the kinds of a notification's problems in a few words, with their numbers. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from gateway.notify.problems import Kind

ORDER = {kind: place for place, kind in enumerate(Kind)}
"""The worst first."""

_MOST_KINDS = 5

_NAMES = {
    Kind.REDUCE_EXPIRED: ("exit expired", "exits expired"),
    Kind.BOT_DEAD: ("bot dead", "bots dead"),
    Kind.DEAD: ("signal dead", "signals dead"),
    Kind.SOURCE_SILENT: ("source silent", "sources silent"),
    Kind.RETAINED_FOUND: ("retained message found", "retained messages found"),
    Kind.BOT_NOTIFIED: ("message of a bot", "messages of bots"),
}
_OVER = {
    Kind.JOURNAL_UNWRITABLE: ("journal writable again",) * 2,
    Kind.BROKER_AWAY: ("broker back",) * 2,
    Kind.BOT_DEAD: ("bot dead no longer", "bots dead no longer"),
    Kind.SOURCE_SILENT: ("source heard again", "sources heard again"),
}
_ONLY_ONE = frozenset({Kind.JOURNAL_UNWRITABLE, Kind.BROKER_AWAY})
"""What there is one of, so that it needs neither a number nor a subject."""


def single(kind: Kind, subject: str, *, count: int, over: bool) -> str:
    """The title of one kind with one subject."""
    if kind is Kind.BOT_NOTIFIED:
        return f"{'message' if count == 1 else f'{count} messages'} of {subject}"
    words = _OVER[kind][0] if over else _names(kind)[0]
    return words if kind in _ONLY_ONE else f"{words}, {subject}"


def counted(kinds: Mapping[Kind, int]) -> Iterator[str]:
    """Each kind with its number, the worst first; what is beyond a few is left out."""
    return _several(kinds, {kind: _names(kind) for kind in kinds})


def counted_over(kinds: Mapping[Kind, int]) -> Iterator[str]:
    """The same of what is over."""
    return _several(kinds, _OVER)


def _several(kinds: Mapping[Kind, int], names: Mapping[Kind, tuple[str, ...]]) -> Iterator[str]:
    ordered = sorted(kinds, key=lambda kind: ORDER[kind])
    for kind in ordered[:_MOST_KINDS]:
        words = names[kind][kinds[kind] != 1]
        yield words if kind in _ONLY_ONE else f"{kinds[kind]} {words}"
    if len(ordered) > _MOST_KINDS:
        yield "…"


def _names(kind: Kind) -> tuple[str, str]:
    return _NAMES.get(kind, (kind.words, kind.words))
