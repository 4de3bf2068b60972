"""Hostile commands: whatever arrives, nothing raises, and nothing runs that must not."""

from __future__ import annotations

import asyncio
import json
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot_plugin import MemoryInbox, PluginSettings, RemoteCommands, SignalListener
from bot_plugin.commands.answer import Answer, encode, reply_of
from bot_plugin.commands.ledger import LedgerFull
from bot_plugin.commands.memory import MemoryLedger
from bot_plugin.commands.reading import Call, Rules, read
from bot_plugin.commands.spelling import Unspellable
from bot_plugin.commands.sqlite import SqliteLedger
from bot_plugin.testing import running
from bot_plugin.transport import Message
from schemas.rpc import may_reply
from schemas.signature import CommandKey, Signed, sign
from schemas.topics import Topics
from tests.brokers import eventually

NOW = 1_786_000_000_000_000
TOPICS = Topics()
KEY = CommandKey(kid="main", secret=b"m" * 32)
OPEN = Rules(bot="demo", topics=TOPICS)
LOCKED = Rules(bot="demo", topics=TOPICS, keys={"main": KEY})

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=10,
)
REPLY_TOPICS = st.one_of(
    st.text(),
    st.sampled_from(["signals/v1/reply/demo/a/b", "rpc-" + "0" * 32, "hbot/other/stop", "hummingbot-api-response-1"]),
    st.from_regex(r"(signals/v1/reply/demo/|rpc-|hbot/)[a-z0-9/+#]{0,40}"),
    JSON,
)
TIMES = st.one_of(JSON, st.integers(min_value=-(10**20), max_value=10**20))
HEADERS = st.fixed_dictionaries(
    {},
    optional={
        "reply_to": REPLY_TOPICS,
        "msg_id": JSON,
        "timestamp": TIMES,
        "deadline": TIMES,
        "agent": JSON,
        "signature": st.text() | JSON,
    },
)
PAYLOADS = st.one_of(
    st.binary(),
    st.builds(lambda header, data: json.dumps({"header": header, "data": data}).encode(), HEADERS | JSON, JSON),
    st.builds(lambda document: json.dumps(document).encode(), JSON),
)
NAMES = st.sampled_from(["start", "stop", "config", "status", "balance/limit", "balance/paper", "command/x", "history"])


@given(NAMES, PAYLOADS)
def test_whatever_arrives_is_a_call_that_may_be_answered_or_a_refusal(name: str, payload: bytes) -> None:
    for rules in (OPEN, LOCKED):
        found = read(Message(topic=f"hbot/demo/{name}", payload=payload), rules, now=NOW)

        assert not isinstance(found, Call) or rules is OPEN
        assert may_reply(found.reply_to, bot="demo", topics=TOPICS) or (
            not isinstance(found, Call) and found.reply_to == ""
        )
        assert isinstance(found, Call) or found.reason


@given(NAMES, NAMES, st.integers(min_value=-(10**9), max_value=10**9), st.binary(max_size=3), st.integers())
def test_a_signature_holds_for_its_topic_and_time_and_not_when_a_byte_is_another(
    signed_for: str, name: str, ahead: int, flipped: bytes, place: int
) -> None:
    topic = f"hbot/demo/{signed_for}"
    covered = Signed(
        topic=topic, msg_id="m", deadline=NOW + ahead, reply_to="signals/v1/reply/demo/a/b", data={"signed": True}
    )
    signature = sign(covered, KEY)
    cut = place % len(signature)
    altered = signature[:cut] + flipped.decode("latin-1") + signature[cut + len(flipped) :]
    payload = json.dumps({"header": {"signature": altered}, "data": {"signed": False}}).encode()
    call = read(Message(topic=f"hbot/demo/{name}", payload=payload), LOCKED, now=NOW)

    if isinstance(call, Call):
        assert name == signed_for
        assert call.data == {"signed": True}
        assert NOW <= call.good_until <= NOW + 300_000_000
        assert altered.rpartition(".")[0] == signature.rpartition(".")[0]
    else:
        assert altered != signature or name != signed_for or not 1_000 <= ahead <= 300_000_000


class Trap:
    """A target that remembers what it ran, and with what."""

    def __init__(self) -> None:
        self.ran: list[Any] = []

    async def stop(self, request: Any) -> None:
        self.ran.append(request)

    async def start(self, request: Any) -> None:
        self.ran.append(request)

    async def balance_limit(self, request: Any) -> None:
        self.ran.append(request)


@given(st.lists(st.tuples(NAMES, PAYLOADS), max_size=8))
def test_a_running_bot_survives_whatever_is_sent_and_runs_only_what_it_can_answer(
    messages: list[tuple[str, bytes]],
) -> None:
    async def story() -> None:
        trap = Trap()
        commands = RemoteCommands(trap, allow=("stop", "balance/limit"))
        listener = SignalListener(PluginSettings(bot="demo", grace=0), inbox=MemoryInbox())
        listener.serve(commands)
        async with running(listener) as rig:
            await eventually(lambda: rig.broker.publish("hbot/demo/stop", b"") == 0)
            sent = len([message for message in rig.broker.published if message.topic == "hbot/demo/stop"])
            for name, payload in messages:
                rig.broker.publish(f"hbot/demo/{name}", payload)
            expected = len(messages) + 1
            await eventually(lambda: sum(commands.counts.values()) == expected)
            reply = await rig.command("stop")

        assert sent
        assert reply.status == 200
        assert len(trap.ran) == commands.counts["done"]  # type: ignore[index]
        answers = [m.topic for m in rig.broker.published if not m.topic.startswith(("hbot/", "signals/v1/bot/"))]
        assert all(may_reply(topic, bot="demo", topics=TOPICS) for topic in answers)

    asyncio.run(story())


@given(
    st.one_of(
        JSON,
        st.decimals(),
        st.integers(min_value=10**300),
        st.datetimes(),
        st.sets(st.integers()),
        st.binary(),
        st.dictionaries(st.integers(), JSON),
    )
)
def test_whatever_a_handler_returns_is_told_or_refused_in_words(value: Any) -> None:
    for result in (value, Answer(more={"x": value}), [value]):
        payload = b'{"data":{"status":200}}'
        with suppress(Unspellable):
            payload = encode(reply_of(result, command="status"), most=100_000)

        assert json.loads(payload)["data"]["status"] == 200


KEYS = st.sampled_from([bytes([number]) * 32 for number in range(6)])
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("begin"), KEYS, st.booleans()),
        st.tuples(st.just("finish"), KEYS, st.integers(min_value=0, max_value=40)),
        st.tuples(st.just("wait"), st.integers(min_value=1, max_value=30), st.none()),
        st.tuples(st.just("reopen"), st.none(), st.none()),
    ),
    max_size=25,
)


@given(STEPS)
def test_the_memory_on_the_disk_says_what_the_one_in_memory_says(
    tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[str, Any, Any]]
) -> None:
    clock = [0]
    path = tmp_path_factory.mktemp("ledger") / "demo.commands.db"

    async def story() -> None:
        memory = MemoryLedger(monotonic=lambda: clock[0], rows=3, size=60)
        disk = SqliteLedger(path, monotonic=lambda: clock[0], rows=3, size=60)
        await disk.open()
        for step, what, more in steps:
            match step:
                case "begin":
                    if await memory.find(what) is None:
                        outcomes = [await _begin(ledger, what, more) for ledger in (memory, disk)]
                        assert outcomes[0] == outcomes[1]
                case "finish":
                    for ledger in (memory, disk):
                        await ledger.finish(what, b"x" * more)
                case "wait":
                    clock[0] += what * 3_600_000_000
                case "reopen":
                    await disk.close()
                    disk = SqliteLedger(path, monotonic=lambda: clock[0], rows=3, size=60)
                    await disk.open()
            for key in (bytes([number]) * 32 for number in range(6)):
                assert await memory.find(key) == await disk.find(key)
        await disk.close()

    asyncio.run(story())


async def _begin(ledger: MemoryLedger | SqliteLedger, key: bytes, harmless: bool) -> str:  # noqa: FBT001
    try:
        await ledger.begin(key, b"f" * 32, harmless=harmless)
    except LedgerFull as full:
        return str(full)
    return ""
