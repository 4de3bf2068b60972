"""``config``: every value as it is, secrets masked; and changes, all of them or none."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from typing import Any

from bot_plugin.commands import Answer, CommandFailed
from bot_plugin.hummingbot.terms.sections import Change, Proposal, Section, Wrong
from schemas.command import Config
from schemas.secrets import REDACTED

_OWN = ("client", "strategy")
"""The sections that the reply has by their own name; others are controllers."""


class Settings:
    """Reads and changes what is configured.

    Args:
        sections: as they are now.
        tell: shows a text to whoever sits before it.
    """

    def __init__(self, sections: Callable[[], Sequence[Section]], *, tell: Callable[[str], None]) -> None:
        self._sections, self._tell = sections, tell

    async def config(self, wanted: Config) -> Answer:
        """Make the changes, and tell everything.

        Raises:
            CommandFailed: every key that is wrong; then nothing was changed.
        """
        sections = self._sections()
        proposals = await self._validated(sections, wanted.params)
        self._apply(proposals)
        hidden = {key for key, _ in wanted.params if any(each.hides(own) for each, own in _owners(sections, key))}
        changes = [(key, REDACTED if key in hidden else value) for key, value in wanted.params]
        if changes:
            self._tell("Changed by a remote command: " + ", ".join(f"{key} = {value}" for key, value in changes))
        later = [words for proposal in proposals for words in proposal.later]
        words = f"takes effect later: {'; '.join(later)}" if later else ""
        return Answer(msg=words, more={"changes": changes, "config": _told(self._sections())})

    async def _validated(self, sections: Sequence[Section], changes: Sequence[Change]) -> list[Proposal]:
        owned: dict[str, list[Change]] = {}
        owners = {key: next(iter(_owners(sections, key)), None) for key, _ in changes}
        if unknown := [key for key, owner in owners.items() if owner is None]:
            raise CommandFailed(
                f"Invalid param key(s): {unknown}; nothing was changed. Without params, config lists all"
            )
        for key, value in changes:
            found = owners[key]
            assert found is not None
            owner, own = found
            owned.setdefault(owner.name, []).append((own, value))
        proposals: list[Proposal] = []
        faults: dict[str, str] = {}
        for section in sections:
            if section.name in owned:
                try:
                    proposals.append(await section.propose(owned[section.name]))
                except Wrong as wrong:
                    faults |= wrong.faults
        if faults:
            raise CommandFailed(f"nothing was changed: {Wrong(faults)}")
        return proposals

    def _apply(self, proposals: Sequence[Proposal]) -> None:
        done: list[Proposal] = []
        try:
            for proposal in proposals:
                done.append(proposal)
                proposal.apply()
        except Exception as error:
            for proposal in reversed(done):
                with contextlib.suppress(OSError):
                    proposal.undo()
            if isinstance(error, OSError):
                raise CommandFailed(f"nothing was changed: {error}") from error
            raise


def _owners(sections: Sequence[Section], key: str) -> list[tuple[Section, str]]:
    """The sections that have a key, and its name there; it may have its section before it, as the reply shows it."""
    where, _, rest = key.partition(".")
    shown = [(each, rest) for each in sections if where in _OWN and each.name == where and each.has(rest)]
    bare = rest if where == "controllers" else key
    return shown or [(each, bare) for each in sections if each.has(bare)]


def _told(sections: Sequence[Section]) -> dict[str, Any]:
    told: dict[str, Any] = {"client": {}, "strategy": {}}
    for section in sections:
        where = told if section.name in _OWN else told.setdefault("controllers", {})
        where[section.name] = section.read()
    return told
