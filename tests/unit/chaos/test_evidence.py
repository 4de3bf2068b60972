"""What a run's evidence is made of: the gateway's outcomes, answers to posted alerts, memory over time."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from contextlib import suppress

import pytest

from tests.brokers import eventually
from tests.chaos import posting
from tests.chaos.findings import Finding, Wrong
from tests.chaos.memory import Sample, growth, highest
from tests.chaos.offenders import first_of_each_kind, in_words
from tests.chaos.outcomes import Said, outcome
from tests.chaos.posting import Posting, Unacceptable

EXPIRES = "2026-11-25T10:00:00Z"
BEFORE, AFTER = "2026-11-25T09:59:59.999999Z", "2026-11-25T10:00:00.5Z"


def life(*receipts: tuple[str, str, str], station: str = "published", at: str = BEFORE, awaiting: tuple[str, ...] = ()):
    """A life as the API shows it, with receipts of a bot, a stage and a time."""
    return {
        "expires_at": EXPIRES,
        "deliveries": [{"destination": "signals", "station": station, "at": at, "awaiting": awaiting}],
        "receipts": [{"bot": bot, "stage": stage, "at": when} for bot, stage, when in receipts],
    }


def test_a_bots_final_receipt_is_its_word_also_where_an_earlier_stage_arrives_after_it():
    told = outcome(life(("a", "received", BEFORE), ("a", "handled", BEFORE), ("a", "started", BEFORE)))

    assert told.at("a") == Said("handled", early=True)


@pytest.mark.parametrize(("at", "early"), [("2026-11-25T09:59:58.9Z", True), ("2026-11-25T09:59:59.1Z", False)])
def test_what_is_out_of_order_is_so_early_until_its_last_second(at, early):
    assert outcome(life(("a", "out_of_order", at))).at("a") == Said("out_of_order", early=early)


def test_without_a_final_receipt_the_last_stage_is_its_word_and_without_any_it_has_none():
    told = outcome(life(("a", "received", BEFORE), ("a", "started", BEFORE)))

    assert told.at("a") == Said("started", early=True)
    assert told.at("b") is None


def test_an_end_at_or_past_the_expiry_is_not_early():
    told = outcome(life(("a", "expired", EXPIRES), station="expired", at=AFTER))

    assert told.at("a") == Said("expired", early=False)
    assert told.station == Said("expired", early=False)


def test_a_bot_is_awaited_until_the_gateway_gives_it_up_as_unanswered():
    assert outcome(life(awaiting=["a"])).awaited == ("a",)
    assert outcome(life(station="unanswered", awaiting=["a"])).awaited == ()


class Webhook:
    """A gateway that answers as told: a status, or None to break the connection off; 202 when nothing is left."""

    def __init__(self, *answers: int | None) -> None:
        self.answers = list(answers)
        self.keys: list[str] = []
        self.open = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.open += 1
        with suppress(OSError):
            await self._answer(reader, writer)
        writer.close()
        with suppress(OSError):
            await writer.wait_closed()
        self.open -= 1

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while head := await reader.readline():
            fields = dict([line async for line in self._fields(reader)])
            await reader.readexactly(int(fields["content-length"]))
            assert head.startswith(b"POST /hooks/")
            self.keys.append(fields["idempotency-key"])
            status = self.answers.pop(0) if self.answers else 202
            if status is None:
                break
            body = json.dumps({"id": f"id of {fields['idempotency-key']}"}).encode()
            writer.write(b"HTTP/1.1 %d Said\r\nContent-Length: %d\r\n\r\n%s" % (status, len(body), body))

    async def _fields(self, reader: asyncio.StreamReader):
        while line := (await reader.readline()).decode().strip():
            name, _, value = line.partition(":")
            yield name.lower(), value.strip()


async def post(webhook: Webhook, path, *, total: int) -> Posting:
    server = await asyncio.start_server(webhook.serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    urls = {f"source-{number}": f"http://127.0.0.1:{port}/hooks/source-{number}/token" for number in range(5)}
    work = Posting(urls, answered=path, total=total, rate=1e6, connections=2)
    async with server:
        try:
            await work.run()
        finally:
            await eventually(lambda: webhook.open == 0)
    return work


async def test_every_alert_is_sent_until_it_is_answered_always_with_its_own_key(tmp_path, monkeypatch):
    monkeypatch.setattr(posting, "PAUSE", 0)
    webhook = Webhook(503, None, 409, 200)

    work = await post(webhook, tmp_path / "answered", total=20)

    lines = [line.split("\t") for line in (tmp_path / "answered").read_text().splitlines()]
    assert Counter(line[0] for line in lines) == {f"id of alert-{number}": 1 for number in range(20)}
    assert len(webhook.keys) == 23
    assert (work.answered, work.again, work.unanswered) == (20, 2, 1)


async def test_a_refusal_of_a_right_alert_ends_the_run(tmp_path):
    with pytest.raises(ExceptionGroup) as raised:
        await post(Webhook(422), tmp_path / "answered", total=1)

    assert raised.group_contains(Unacceptable, match="alert 0 of source-0: 422")


def samples(name: str, pid: int, *megabytes: float) -> list[Sample]:
    return [Sample(at * 20.0, name, pid, memory) for at, memory in enumerate(megabytes)]


def test_growth_is_told_for_the_second_half_of_the_long_life_that_grew_most():
    seen = [*samples("gateway", 1, 50, 60, 61, 62, 90), *samples("gateway", 2, 50, 60, 60, 60, 61)]

    assert growth(seen) == {"gateway": 29}
    assert highest(seen) == {"gateway": 90}


def test_the_growth_of_a_process_that_lived_for_less_than_a_minute_is_not_told():
    assert growth(samples("bot-a", 1, 10, 80)) == {}


def test_of_each_kind_of_finding_only_the_first_are_told_at_length():
    findings = [
        Finding(wrong=wrong, bot="", id=str(n), detail="") for n in range(4) for wrong in (Wrong.LOST, Wrong.LATE)
    ]

    first = first_of_each_kind(findings, most=2)

    assert Counter(finding.wrong for finding in first) == {Wrong.LOST: 2, Wrong.LATE: 2}
    assert {finding.id for finding in first} == {"0", "1"}


def test_a_life_is_told_step_by_step_also_where_the_gateway_does_not_know_it():
    assert list(in_words({"gateway": None, "bot-a": [{"end": "x", "at": 1}]})) == [
        "  the gateway does not know it",
        '  bot-a wrote down {"end": "x", "at": 1}',
    ]
