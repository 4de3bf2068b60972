"""The last line of a gateway says whether anything still waits."""

from __future__ import annotations

import pytest

from gateway.cli.run import farewell


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
