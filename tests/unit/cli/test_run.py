"""How a gateway begins and ends: what it makes first, when it can be told to stop, and its last line."""

from __future__ import annotations

import signal
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway.cli.run import farewell
from tests.unit.cli.conftest import Call


@pytest.mark.parametrize(
    ("waiting", "words"),
    [
        (0, "stopped: everything that waited is published"),
        (1, "stopped: 1 signal waits to be published, and will be at the next start, unless expired by then"),
        (7, "stopped: 7 signals wait to be published, and will be at the next start, unless expired by then"),
    ],
)
def test_the_last_line_says_how_many_signals_wait(waiting: int, words: str) -> None:
    assert farewell(waiting) == words


@pytest.fixture
def stoppable() -> Iterator[None]:
    """What ``run`` does about SIGTERM ends with the test."""
    before = signal.getsignal(signal.SIGTERM)
    yield
    signal.signal(signal.SIGTERM, before)


@pytest.mark.usefixtures("stoppable")
def test_run_makes_what_is_missing_first_and_prints_no_secret(
    call: Call, ports: dict[str, int], tmp_path: Path
) -> None:
    with socket.create_server(("127.0.0.1", ports["HTTP__PUBLIC"])):
        first, second = call("run", "--init"), call("run", "--init")

    assert first.code == second.code == 4, "the taken port ends it"
    assert "made data/signal-gateway.yml" in first.err
    assert "made " not in second.err
    assert "sg_" not in first.out + first.err
    for file in ("api.token", "gateway-broker.password"):
        assert (tmp_path / "data/secrets" / file).read_text().strip() not in first.out + first.err
    assert not (tmp_path / "data/secrets/keys.json").exists()


@pytest.mark.usefixtures("stoppable")
def test_sigterm_ends_a_gateway_that_has_not_begun_to_listen(
    call: Call, ports: dict[str, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    call("init")
    monkeypatch.setattr("gateway.cli.run.require_free_ports", lambda _: signal.raise_signal(signal.SIGTERM))

    assert call("run").code == 0
