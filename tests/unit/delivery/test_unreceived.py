"""The windows of what each bot was sent and has not receipted."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from gateway.delivery.unreceived import Unreceived


def windows(*, sent: int) -> Unreceived:
    unreceived = Unreceived(window=2, patience=5.0, timer=lambda: 0.0)
    unreceived.online(["bot"])
    for number in range(sent):
        unreceived.sent(SimpleNamespace(id=f"s{number}", lane="lane"), ["bot"])
    return unreceived


@pytest.mark.parametrize(
    ("sent", "held_for", "full"),
    [(1, 0.0, None), (2, 0.0, "bot"), (2, 0.9, "bot"), (2, 1.0, None), (3, 1.0, None), (4, 60.0, "bot")],
)
def test_what_was_held_for_a_second_goes_beyond_the_window_up_to_twice_as_many(sent, held_for, full):
    assert windows(sent=sent).full(["bot"], held_for=held_for) == full
