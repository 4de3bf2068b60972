"""The body of an alert: from a file, or from the pipe."""

from __future__ import annotations

import sys
from pathlib import Path

from gateway.cli.failure import Exit, Failure

MOST = 16 * 1024 * 1024


def read_body(file: str) -> bytes:
    """Read a file, or standard input for ``-``; at most 16 MiB.

    Raises:
        Failure: it cannot be read.
    """
    if file == "-":
        return sys.stdin.buffer.read(MOST)
    try:
        with Path(file).open("rb") as stream:
            return stream.read(MOST)
    except OSError as error:
        raise Failure(Exit.USAGE, f"{file}: cannot be read: {error.strerror}") from None
