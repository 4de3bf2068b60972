"""The bots' logins at the broker: a name, a hashed password, and the sources whose signals it may read."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from gateway.config.passwords import hashed, matches
from gateway.config.store import Watched, locked, read_json, write_json
from gateway.errors import Misconfigured
from schemas.fields import from_micros, instant_text, is_name

RESERVED = frozenset({"predictions"})
"""Names that are segments of the bots' topic tree."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bot:
    """A bot's login. ``sources`` is empty for all; ``created`` is RFC 3339."""

    name: str
    password_hash: str = field(repr=False)
    sources: tuple[str, ...] = ()
    created: str = ""


def name_problem(name: str, *, gateway: str) -> str:
    """Why a bot cannot have this name; empty where it can."""
    if not is_name(name):
        return "has only A-Z a-z 0-9 _ and -, 1 to 128 of them"
    if name in RESERVED:
        return f"is not {name!r}, which is a word of the topic tree"
    return f"is not {name!r}, which is the gateway's own login" if name == gateway else ""


def read_bots(path: Path) -> dict[str, Bot]:
    """Every bot by its name.

    Raises:
        Misconfigured: the file is damaged.
    """
    try:
        return {name: _bot(name, kept) for name, kept in read_json(path).get("bots", {}).items()}
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise Misconfigured(f"{path}: is damaged ({error}): restore it, or remove it and run bots add again") from None


def _bot(name: str, kept: Mapping[str, Any]) -> Bot:
    password_hash = str(kept["password"])
    matches("", password_hash)
    return Bot(name=name, password_hash=password_hash, sources=tuple(kept["sources"]), created=str(kept["created"]))


def put_bot(path: Path, name: str, *, sources: tuple[str, ...], now: int) -> str:
    """Give a bot a login, a new one where it has one, and return its password, the only time that it is seen."""
    password = secrets.token_urlsafe(32)
    bot = Bot(name=name, password_hash=hashed(password), sources=sources, created=instant_text(from_micros(now)))
    _change(path, lambda bots: bots | {name: bot})
    return password


def remove_bot(path: Path, name: str) -> bool:
    """Take a bot's login away; False where it had none."""
    removed: list[Bot] = []

    def without(bots: dict[str, Bot]) -> dict[str, Bot]:
        removed.extend(bot for bot in (bots.pop(name, None),) if bot)
        return bots

    _change(path, without)
    return bool(removed)


def _change(path: Path, change: Callable[[dict[str, Bot]], dict[str, Bot]]) -> None:
    with locked(path):
        bots = change(read_bots(path))
        write_json(path, {"version": 1, "bots": {bot.name: _wire(bot) for bot in bots.values()}})


def _wire(bot: Bot) -> dict[str, Any]:
    return {"password": bot.password_hash, "sources": list(bot.sources), "created": bot.created}


class BotSources:
    """By bot, the sources that its login may read, none for all; by the file as it is now."""

    def __init__(self, path: Path) -> None:
        self._file = Watched(path, read=read_bots, take=self._take)
        self._sources: Mapping[str, tuple[str, ...]] = {}

    def __call__(self) -> Mapping[str, tuple[str, ...]]:
        self._file.look()
        return self._sources

    def _take(self, bots: Mapping[str, Bot]) -> None:
        self._sources = {name: bot.sources for name, bot in bots.items()}
