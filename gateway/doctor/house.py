"""The gateway's own house: its secrets, its disk, its listener, the files it wrote, and everybody's clocks."""

from __future__ import annotations

import ctypes
import shutil
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path

from gateway.config.emqx_logins import not_pushed
from gateway.config.mosquitto import outdated
from gateway.config.settings import HttpSettings, Settings
from gateway.doctor.verdict import Grade, Verdict, sound, unseen

_STRUCT = 512
"""Bytes; more than any system's ``struct timex`` has, all 0: nothing is set."""

_UNSYNCHRONISED = 5
_MIB = 1_048_576


@dataclass(frozen=True, slots=True, kw_only=True)
class House:
    """What was seen of the gateway itself.

    Args:
        open_secrets: a sentence for each secret that others can read, with its cure.
        outdated: the same for each of Mosquitto's files that lacks something, and for an EMQX that lacks logins.
        free: bytes on the disk of the journal.
        used: bytes that the journal has.
        budget: bytes that it may have.
        journal: its file.
        synchronised: whether the system's clock is; None where the system does not say.
    """

    open_secrets: tuple[str, ...]
    outdated: tuple[str, ...]
    free: int
    used: int
    budget: int
    journal: str
    synchronised: bool | None


def see_house(settings: Settings) -> House:
    """Look at files, disk and clock."""
    journal = Path(settings.journal.path)
    folder = next(parent for parent in (journal, *journal.absolute().parents) if parent.exists())
    return House(
        open_secrets=tuple(settings.folder.open_to_others(settings.secret_files)),
        outdated=(*outdated(settings), *not_pushed(settings)),
        free=shutil.disk_usage(folder).free,
        used=sum(file.stat().st_size for file in journal.parent.glob(f"{journal.name}*") if file.is_file()),
        budget=settings.journal.max_bytes,
        journal=str(journal),
        synchronised=_synchronised(),
    )


def judge_house(house: House, http: HttpSettings) -> Iterator[Verdict]:
    """What is wrong here rather than at the broker."""
    for problem in house.open_secrets:
        says, _, remedy = problem.rpartition(": ")
        yield Verdict(Grade.MONEY, "open-secret", says, remedy)
    for problem in house.outdated:
        place, _, rest = problem.partition(": ")
        says, _, remedy = rest.partition(": ")
        yield Verdict(Grade.SIGNALS, "outdated", f"{place} {says}", remedy)
    missing = house.budget - house.used - house.free
    if missing > 0:
        says = f"the disk has {house.free // _MIB} MiB left; the journal may need {missing // _MIB} MiB more"
        yield Verdict(Grade.SIGNALS, "disk", says, f"make room beside {house.journal}, or lower journal.max_size")
    if not (_is_loopback(http.public.host) or http.trusted_proxies):
        says = f"webhooks are taken at {http.public} without TLS: whoever is on the way reads their tokens"
        remedy = (
            "signal-gateway.yml: http.public.host: 127.0.0.1 behind a proxy with TLS (docs/expose.md), or name it in"
        )
        yield Verdict(Grade.MONEY, "listener", says, f"{remedy} http.trusted_proxies")
    if not (house.open_secrets or house.outdated or missing > 0):
        yield sound("house", "secrets are closed to others, and the disk has room for the journal")


def judge_clocks(*, synchronised: bool | None, bots: Collection[Mapping[str, object]] | None) -> Iterator[Verdict]:
    """Whether everybody's clock is right enough for expiries.

    Args:
        synchronised: whether this system's clock is; None where it does not say.
        bots: how the bots are, as the API of the running gateway has it; None where it cannot be asked.
    """
    if synchronised is False:
        says = "this machine's clock is not synchronised: signals expire too soon or too late"
        yield Verdict(
            Grade.SIGNALS, "clock", says, "let NTP set it: timedatectl set-ntp true, or chrony; on the host of a VM"
        )
    elif synchronised is None:
        yield unseen("clock", "whether this machine's clock is synchronised: the system does not say")
    if bots is None:
        says = "the bots' clocks: the gateway, which compares them, does not run"
        yield unseen("bot-clocks", says, "signal-gateway run, then signal-gateway doctor once more")
        return
    wrong = [(bot["name"], problem) for bot in bots if (problem := _clock_problem(bot))]
    for name, problem in wrong:
        remedy = "let NTP set the clocks of both machines"
        yield Verdict(Grade.SIGNALS, "bot-clocks", f"bot {name}: its {problem}", remedy)
    if synchronised and not wrong:
        known = sum(map(_clock_known, bots))
        says = f"this machine's clock is synchronised, and no bot's is off (of {len(bots)}, {known} known)"
        yield sound("clocks", says)


def _clock_problem(bot: Mapping[str, object]) -> object:
    clock = bot.get("clock")
    return clock.get("problem") if isinstance(clock, dict) else None


def _clock_known(bot: Mapping[str, object]) -> bool:
    clock = bot.get("clock")
    known = ("offset_seconds", "heartbeat_ahead_seconds")
    return isinstance(clock, dict) and any(clock.get(one) is not None for one in known)


def _synchronised() -> bool | None:
    """What the kernel says; it is told by NTP."""
    try:
        state = int(ctypes.CDLL(None).adjtimex(ctypes.create_string_buffer(_STRUCT)))
    except (OSError, AttributeError):
        return None
    return None if state < 0 else state != _UNSYNCHRONISED


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
