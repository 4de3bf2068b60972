"""A broker may say anything: the doctor's client ends with an error that is one, in time, or with an answer."""

from __future__ import annotations

import asyncio
from typing import Any, cast

from hypothesis import given
from hypothesis import strategies as st

from gateway.mqtt import Version
from gateway.mqtt.probe import Probe


class Deaf:
    """A writer that nobody reads."""

    def write(self, data: bytes) -> None:
        assert data


PACKETS = st.builds(
    lambda kind, flags, body: bytes([kind << 4 | flags, len(body)]) + body,
    st.sampled_from([2, 3, 4, 9, 13, 14]),
    st.integers(0, 15),
    st.binary(max_size=60),
)


@given(
    said=st.lists(st.one_of(PACKETS, st.binary(max_size=20)), max_size=6).map(b"".join),
    version=st.sampled_from(list(Version)),
    ask=st.sampled_from(["greet", "subscribe", "publish", "heard"]),
)
def test_whatever_a_broker_says_is_an_answer_or_a_lost_connection(said: bytes, version: Version, ask: str) -> None:
    async def run() -> None:
        reader = asyncio.StreamReader()
        reader.feed_data(said)
        reader.feed_eof()
        caller = Probe(reader, cast("Any", Deaf()), version=version, within=1.0)
        try:
            match ask:
                case "greet":
                    await caller.greet("c", ("name", "password"))
                case "subscribe":
                    await caller.subscribe("a/+", "b")
                case "publish":
                    await caller.publish("a", b"x", expiry=1)
                case "heard":
                    await caller.heard(quiet=0.1)
        except ConnectionError:
            pass

    asyncio.run(run())
