"""The targets of notifications: where their URLs come from, and what is wrong with them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from gateway.config.document import Path as Key
from gateway.config.store import read_secret
from gateway.config.suggest import suggestion
from gateway.notify.channel import MISSING, installed, open_channel
from gateway.notify.settings import NotifySettings, Pace, Target

TARGETS = ("notify", "targets")
"""What is below this key may be a secret."""


def notify_settings(section: Mapping[str, Any]) -> NotifySettings:
    """The settings of a section that is right."""
    pace = Pace(**{name: section[name] for name in ("group_for", "repeat_every", "limit")})
    targets = tuple(_target(number, target) for number, target in enumerate(section["targets"], start=1))
    return NotifySettings(targets=targets, pace=pace, broker_away_after=section["broker_away_after"])


def notify_problems(section: Mapping[str, Any], *, sources: Iterable[str], thorough: bool) -> Iterator[tuple[Key, str]]:
    """What is wrong with targets that are well spelled; no problem repeats a URL. ``thorough``: by apprise, too."""
    if section["targets"] and not installed():
        yield ("notify",), MISSING
        return
    for index, target in enumerate(section["targets"]):
        key = (*TARGETS, str(index))
        for place, source in enumerate(target["sources"]):
            if source not in sources:
                yield (*key, "sources", str(place)), f"is no source{suggestion(source, sources)}"
        url = _url(target)
        if url is None:
            yield (*key, "url_file"), f"{target['url_file']} cannot be read or is empty: write the URL into it"
        elif thorough and (problem := _problem(url)):
            yield (*key, "url" if target["url"] else "url_file"), problem


def _target(number: int, section: Mapping[str, Any]) -> Target:
    filters = {name: section[name] for name in ("kinds", "sources", "bots")}
    return Target(number=number, url=_url(section) or "", **filters)


def _url(section: Mapping[str, Any]) -> str | None:
    url: str | None = section["url"] or read_secret(section["url_file"])
    return url


def _problem(url: str) -> str | None:
    try:
        open_channel(url)
    except ValueError as error:
        return f"{error}: see docs/notifications.md"
    return None
