"""Whoever holds a port is named, as far as it can be seen."""

from __future__ import annotations

import os
import socket
import sys
from pathlib import Path

import pytest

from gateway.ports import holder

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")


@pytest.mark.parametrize(("family", "host"), [(socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")])
def test_a_process_that_listens_is_named_with_its_id(family: socket.AddressFamily, host: str) -> None:
    with socket.socket(family) as listening:
        listening.bind((host, 0))
        listening.listen()
        found = holder(listening.getsockname()[1])
    assert found == f"{Path('/proc/self/comm').read_text().strip()} (pid {os.getpid()})"


def test_a_port_that_nobody_holds_has_no_holder() -> None:
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        assert holder(bound.getsockname()[1]) is None


def test_a_machine_without_proc_names_nobody(tmp_path: Path) -> None:
    assert holder(80, proc=tmp_path) is None
