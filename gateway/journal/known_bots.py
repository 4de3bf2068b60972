"""The bots that showed their cards: remembered across restarts, so that an absent one is still expected."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable

from gateway.journal.model import KnownBot

MOST = 10_000
"""Bots that are remembered; those longest absent are forgotten first."""

_KNOW = "INSERT OR REPLACE INTO bots (name, filters, absent_since, former) VALUES (?, ?, ?, ?)"
_BOUND = """
    DELETE FROM bots WHERE name IN (
        SELECT name FROM bots ORDER BY absent_since IS NULL DESC, absent_since DESC LIMIT -1 OFFSET ?
    )
"""
_ALL = "SELECT name, filters, absent_since, former FROM bots ORDER BY name"
_FORGET = "DELETE FROM bots WHERE name = ?"


def know(bots: Iterable[KnownBot], *, database: sqlite3.Connection) -> None:
    """Remember bots as they are now."""
    database.executemany(_KNOW, [_row(bot) for bot in bots])
    database.execute(_BOUND, (MOST,))


def read_known(database: sqlite3.Connection) -> list[KnownBot]:
    """The bots that are remembered."""
    return [
        KnownBot(name=name, filters=tuple(json.loads(filters)), absent_since=absent_since, former=json.loads(former))
        for name, filters, absent_since, former in database.execute(_ALL)
    ]


def _row(bot: KnownBot) -> tuple[str, str, int | None, str]:
    return bot.name, json.dumps(bot.filters), bot.absent_since, json.dumps(dict(bot.former))


def forget(name: str, *, database: sqlite3.Connection) -> None:
    """Remember a bot no more."""
    database.execute(_FORGET, (name,))
