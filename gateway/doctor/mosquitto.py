"""What cannot be seen of a Mosquitto from outside: its configuration, where the file can be read."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from gateway.doctor.seen import Kind
from gateway.doctor.verdict import Grade, Verdict, sound, unseen
from gateway.mqtt.model import LinkSettings

DEFAULT = Path("/etc/mosquitto/mosquitto.conf")
_HERE = frozenset({"127.0.0.1", "::1", "localhost"})
_DEFAULT_PORT = "1883"
_AUTOSAVE = 1_800
_LONGEST_AUTOSAVE = 60


@dataclass(frozen=True, slots=True)
class Line:
    """A setting, and where it stands."""

    file: Path
    number: int
    key: str
    value: str

    def __str__(self) -> str:
        return f"{self.file}:{self.number}"


def read_lines(path: Path, *, included: bool = False) -> list[Line]:
    """The settings of a configuration file and of those that it includes, which include no others, in their order.

    Raises:
        OSError: one cannot be read.
    """
    lines: list[Line] = []
    for number, text in enumerate(path.read_text(encoding="utf-8", errors="replace").splitlines(), 1):
        key, _, value = text.strip().partition(" ")
        if key and not key.startswith("#"):
            lines.append(Line(path, number, key, value.strip()))
        if key == "include_dir" and not included:
            for file in sorted(Path(value.strip()).glob("*.conf")):
                lines += read_lines(file, included=True)
    return lines


def speaks_at(lines: Iterable[Line], port: int) -> bool:
    """Whether the configuration is of a Mosquitto that listens at a port."""
    ports = [line.value.split()[0] for line in lines if line.key in {"listener", "port"} and line.value]
    return str(port) in (ports or [_DEFAULT_PORT])


def judge_store(link: LinkSettings, kind: Kind, given: Path | None) -> list[Verdict]:
    """Whether the broker keeps on its disk what it acknowledged: its configuration is read where it is known.

    Args:
        link: where the broker is; on this machine, Debian's file is looked at if it is for that port.
        kind: which broker it is, as far as the configuration says.
        given: the file of a Mosquitto.

    Raises:
        OSError: the given file cannot be read.
    """
    if given is not None:
        return list(judge_lines(read_lines(given), path=given))
    if kind is Kind.EMBEDDED:
        says = "the embedded broker forgets everything when the gateway stops; bots get what they lack from the gateway"
        return [Verdict(Grade.LIMIT, "persistence", says)]
    if link.host in _HERE and kind is not Kind.EMQX:
        with suppress(OSError):
            lines = read_lines(DEFAULT)
            if speaks_at(lines, link.port):
                return list(judge_lines(lines, path=DEFAULT))
    says = "whether the broker keeps on its disk what it acknowledged: that cannot be seen from outside"
    remedy = "Mosquitto: signal-gateway doctor --mosquitto-conf FILE; EMQX: durable_sessions.enable = true"
    return [unseen("persistence", says, remedy)]


def judge_lines(lines: list[Line], *, path: Path) -> Iterator[Verdict]:
    """Whether this Mosquitto keeps what it acknowledged through a restart, and through a crash.

    Args:
        lines: its settings; the last of one key counts.
        path: the file, for what is in none.
    """
    kept = {line.key: line for line in lines}
    persistence, autosave = kept.get("persistence"), kept.get("autosave_interval")
    if not _is_on(persistence):
        says = "Mosquitto writes nothing to its disk: a restart loses what it acknowledged and bots have not fetched"
        remedy = "persistence true, and persistence_location with a folder that it may write"
        yield Verdict(Grade.SIGNALS, "persistence", says, f"{persistence or path}: {remedy}")
        return
    count = int(autosave.value) if autosave and autosave.value.isdecimal() else _AUTOSAVE
    unit, most = ("changes", 1) if _is_on(kept.get("autosave_on_changes")) else ("s", _LONGEST_AUTOSAVE)
    if not 0 < count <= most:
        often = f"every {count} {unit}" if count else "only when it is stopped"
        says = f"Mosquitto writes its store {often}: a crash loses what it acknowledged since then"
        yield Verdict(Grade.SIGNALS, "autosave", says, f"{autosave or path}: autosave_interval 1")
    else:
        yield sound("persistence", f"Mosquitto writes its store every {count} {unit} ({autosave})")


def _is_on(line: Line | None) -> bool:
    return line is not None and line.value in {"true", "1"}
