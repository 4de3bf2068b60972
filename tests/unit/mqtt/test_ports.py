"""Who holds a port is found in /proc."""

from __future__ import annotations

import os
import socket
from pathlib import Path

from gateway.mqtt.ports import holder


def test_the_process_that_listens_is_named_with_its_pid():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        found = holder(listener.getsockname()[1])
    assert found == f"{Path('/proc/self/comm').read_text().strip()} (pid {os.getpid()})"


def test_nobody_is_named_where_nothing_can_be_read(tmp_path):
    assert holder(1, proc=tmp_path) is None
