"""What the command line's tests share: a data folder, and a call as a shell makes it."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from gateway.__main__ import main
from tests.brokers import free_port


@dataclass(frozen=True, slots=True)
class Ended:
    """How a call ended."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)

    @property
    def error(self) -> Any:
        return json.loads(self.err)["error"]


Call = Callable[..., Ended]


@pytest.fixture
def ports(monkeypatch: pytest.MonkeyPatch) -> dict[str, int]:
    """Free ports for what the configuration makes listen."""
    ports = {name: free_port() for name in ("HTTP__PUBLIC", "HTTP__PRIVATE", "BROKER")}
    for name, port in ports.items():
        monkeypatch.setenv(f"SIGNAL_GATEWAY_{name}__PORT", str(port))
    return ports


@pytest.fixture
def call(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], ports: object) -> Call:
    """Call the command line in an empty folder."""
    monkeypatch.chdir(tmp_path)

    def run(*arguments: str) -> Ended:
        with pytest.raises(SystemExit) as ended:
            main(arguments)
        captured = capsys.readouterr()
        return Ended(int(ended.value.code or 0), captured.out, captured.err)

    return run
