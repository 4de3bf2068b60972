"""What programs post, over real sockets and into a real journal: each answer, and what is there afterwards."""

from __future__ import annotations

import asyncio
import gzip
import json
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from standardwebhooks import Webhook

from gateway.config import KeyRing
from gateway.config.keyring import rotate
from gateway.errors import NotStored
from gateway.intake import Predictions, Source
from gateway.journal import open_journal
from gateway.journal.model import Accepted, JournalSettings, Life
from gateway.pipeline import Pipeline, Road
from gateway.telemetry import NullTelemetry
from gateway.web import Public, PublicSettings, RateLimit
from schemas.envelope import decode
from schemas.topics import Topics
from tests.integration.web.conftest import Serve, Served, eventually, read_answer
from tests.journal_drafts import Clock

NOW = 1_795_352_101_000_000
NDJSON = {"Content-Type": "application/x-ndjson"}
SOURCES = {
    "ml": Source(name="ml", predictions=Predictions(models=("btc-lstm",), interval=300.0)),
    "tv": Source(name="tv"),
}
BODY: dict[str, Any] = {"pair": "BTC-USDT", "probabilities": {"short": 0.1, "neutral": 0.2, "long": 0.7}}
TRADE = {"action": "buy", "instrument": {"raw": "BTC-USDT"}}


def prediction(number: int, **more: Any) -> dict[str, Any]:
    return BODY | {"idempotency_key": f"k-{number}"} | more


def lines(*documents: Any) -> bytes:
    return b"".join(json.dumps(document).encode() + b"\n" for document in documents)


@dataclass
class Bench:
    """A public listener with a journal on disk behind it."""

    web: Served
    pipeline: Pipeline
    tokens: dict[str, str]
    keys: Path
    ring: KeyRing
    journal: Any
    clock: Clock
    offered: list[Accepted] = field(default_factory=list)
    secret: str = ""

    async def post(
        self, path: str, body: bytes | AsyncIterator[bytes], *, token: str | None = None, **headers: str
    ) -> tuple[int, dict[str, str], bytes]:
        shown = self.tokens.get(path.rpartition("/")[2], "") if token is None else token
        auth = {"Authorization": f"Bearer {shown}"} if shown else {}
        async with self.web.client.post(self.web.url + path, data=body, headers=auth | headers) as answer:
            return answer.status, dict(answer.headers), await answer.read()

    async def predictions(self, body: Any, **headers: str) -> tuple[int, Any]:
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        status, _, answer = await self.post("/v1/predictions/ml", data, **headers)
        return status, json.loads(answer)

    async def stream(self, body: bytes | AsyncIterator[bytes], **headers: str) -> list[dict[str, Any]]:
        status, answered, answer = await self.post("/v1/predictions/ml", body, **NDJSON, **headers)
        assert (status, answered["Content-Type"]) == (200, "application/x-ndjson"), answer
        return [json.loads(line) for line in answer.splitlines()]

    async def kept(self) -> list[Life]:
        """What is in the journal, the oldest first."""
        return (await self.journal.lives(limit=100_000))[::-1]

    def signature(self, body: bytes, *, id_: str = "msg-1", at: int = NOW) -> dict[str, str]:
        seconds = at // 1_000_000
        made = Webhook(self.secret).sign(id_, datetime.fromtimestamp(seconds, UTC), body.decode())
        return {"webhook-id": id_, "webhook-timestamp": str(seconds), "webhook-signature": made}


@pytest.fixture
async def bench(serve: Serve, tmp_path: Path) -> AsyncIterator[Callable[..., Any]]:
    journals = []

    async def make(*, limits: dict[str, int] | None = None, max_bytes: int = 1 << 30, **settings: Any) -> Bench:
        keys, clock = tmp_path / "keys.json", Clock(NOW)
        tokens = {name: rotate(keys, name, now=NOW) for name in SOURCES}
        secret = rotate(keys, "ml", now=NOW, signing=True)
        journal = open_journal(JournalSettings(path=str(tmp_path / "j.db"), max_bytes=max_bytes), clock=clock)
        journals.append(journal)
        offered: list[Accepted] = []
        ids = (f"00000000-0000-7000-8000-{number:012d}" for number in count(1))
        ring = KeyRing(keys, now=clock)
        pipeline = Pipeline(
            Road(sources=SOURCES, topics=Topics()),
            keys=ring,
            admit=RateLimit(limits or {}, now=lambda: 0.0).admit,
            journal=journal,
            offer=offered.extend,
            telemetry=NullTelemetry(),
            new_id=lambda: next(ids),
        )
        public = PublicSettings(**settings)
        site = Public(pipeline.take, settings=public, telemetry=NullTelemetry(), now=clock, posts=pipeline)
        return Bench(
            await serve(site, on_stop=site.stop), pipeline, tokens, keys, ring, journal, clock, offered, secret
        )

    yield make
    for journal in journals:
        await journal.close()


async def test_one_prediction_is_on_disk_and_on_its_topic(bench: Any) -> None:
    """A prediction is answered 202 with its id, and goes to the topic of its source and instrument."""
    b = await bench()
    status, answer = await b.predictions(prediction(1))

    (life,) = await b.kept()
    assert (status, answer) == (202, {"id": life.id, "status": "accepted"})
    assert life.deliveries[0].topic == "signals/v1/prediction/ml/BTC-USDT"
    assert (life.body, life.effect, decode(life.envelope).type) == ("prediction", "", "signal.prediction.v1")
    assert life.expires_at == NOW + 600_000_000
    assert [accepted.draft.id for accepted in b.offered] == [life.id]
    assert await b.predictions(prediction(1)) == (200, {"id": life.id, "status": "duplicate"})


async def test_an_array_is_taken_whole_or_not_at_all(bench: Any) -> None:
    """An array gets an entry each; one bad index refuses all, each fault with its index, and nothing is stored."""
    b = await bench()
    bad = [prediction(1), prediction(2, horizon=-1), prediction(3, probabilities={"long": 2})]
    status, problem = await b.predictions(bad)

    assert (status, problem["code"]) == (422, "invalid")
    assert [fault["where"] for fault in problem["errors"]] == ["[1].horizon", "[2].probabilities.long"]
    assert await b.kept() == []
    status, entries = await b.predictions([prediction(1), prediction(2), prediction(1)])
    assert status == 202
    assert [entry["status"] for entry in entries] == ["accepted", "accepted", "duplicate"]


async def test_a_model_that_says_the_same_again_goes_on_saying_it(bench: Any) -> None:
    """Without a key and a time an equal body is no repeat; with a time it is one."""
    b = await bench()
    timed = BODY | {"observed_at": "2026-11-22T12:50:00Z"}
    answers = []
    for body in (BODY, timed, BODY, timed):
        answers.append((await b.predictions(body))[0])
        b.clock.pass_(10)
    assert answers == [202, 202, 202, 200]
    first, _, again = await b.kept()
    assert (again.possible_duplicate_of, again.expires_at - first.expires_at) == (first.id, 20_000_000)


async def test_a_trade_comes_the_same_way(bench: Any) -> None:
    """Our own trade body is taken at /v1/signals, and what is none is told so."""
    b = await bench()
    status, _, _ = await b.post("/v1/signals/tv", json.dumps(TRADE).encode())
    assert status == 202
    status, _, answer = await b.post("/v1/signals/tv", b'{"ticker": "BTCUSDT", "side": "buy"}')
    assert (status, [fault["where"] for fault in json.loads(answer)["errors"]]) == (422, ["action", "instrument"])
    status, _, answer = await b.post("/v1/signals/tv", b"buy BTC")
    assert (status, json.loads(answer)["code"]) == (400, "unreadable")
    status, _, answer = await b.post("/v1/signals/tv", lines(TRADE | {"idempotency_key": "a"}), **NDJSON)
    assert json.loads(answer.splitlines()[-1]) == {"done": True, "accepted": 1, "duplicate": 0, "refused": 0}


async def test_a_trade_carries_the_id_of_the_prediction_that_it_was_made_of(bench: Any) -> None:
    """A causationid goes into the envelope, a wrong one is refused at its place, and a trade needs none."""
    b = await bench()
    made = TRADE | {"causationid": "0193a6c2-0000-7000-8000-000000000001", "idempotency_key": "made"}
    for body in (made, TRADE | {"idempotency_key": "alone"}):
        assert (await b.post("/v1/signals/tv", json.dumps(body).encode()))[0] == 202
    status, _, answer = await b.post("/v1/signals/tv", json.dumps(TRADE | {"causationid": "no id"}).encode())

    found = {decode(life.envelope).data["idempotency_key"]: decode(life.envelope) for life in await b.kept()}
    assert {key: envelope.causationid for key, envelope in found.items()} == {
        "made": "0193a6c2-0000-7000-8000-000000000001",
        "alone": None,
    }
    assert "causationid" not in found["made"].data
    assert (status, [fault["where"] for fault in json.loads(answer)["errors"]]) == (422, ["causationid"])


@pytest.mark.parametrize(
    ("path", "token", "right"),
    [
        ("/v1/signals/ml", "ml", "/v1/predictions/ml"),
        ("/v1/predictions/tv", "tv", "/v1/signals/tv"),
        ("/hooks/ml/{}", "ml", "/v1/predictions/ml"),
    ],
)
async def test_the_wrong_address_names_the_right_one(bench: Any, path: str, token: str, right: str) -> None:
    """Whoever has the source's secret and posts to the wrong address is told the right one."""
    b = await bench()
    secret = b.tokens[token]
    status, _, answer = await b.post(path.format(secret), json.dumps(BODY).encode(), token=secret)
    problem = json.loads(answer)

    assert (status, problem["code"]) == (422, "wrong_address")
    assert right in problem["detail"]
    assert await b.kept() == []


async def test_nobody_gets_in_and_no_answer_tells_why(bench: Any) -> None:
    """Whatever is wrong with the secret, status, headers and bytes of the answer are the same."""
    b = await bench()
    body = json.dumps(BODY).encode()
    good = b.signature(body)
    wrong: list[tuple[str, dict[str, str]]] = [
        ("/v1/predictions/ml", {}),
        ("/v1/predictions/nobody", {"Authorization": f"Bearer {b.tokens['ml']}"}),
        ("/v1/predictions/ml", {"Authorization": "Bearer wrong"}),
        ("/v1/predictions/ml", {"Authorization": f"Bearer {b.tokens['tv']}"}),
        ("/v1/predictions/ml", {"Authorization": f"Basic {b.tokens['ml']}"}),
        ("/v1/predictions/ml", {"Authorization": f"Bearer {b.secret}"}),
        (f"/v1/predictions/ml?key={b.tokens['ml']}", {}),
        ("/v1/predictions/nobody", good),
        ("/v1/predictions/ml", good | {"webhook-id": "other"}),
        ("/v1/predictions/ml", b.signature(body + b" ")),
        ("/v1/predictions/ml", b.signature(body, at=NOW - 301_000_000)),
        ("/v1/predictions/ml", good | {"webhook-timestamp": "x", "webhook-signature": "v1,\xe9, ,v1"}),
    ]
    answers = set()
    for path, headers in wrong:
        for more in ({}, NDJSON):
            status, answered, bytes_ = await b.post(path, body, token="", **headers, **more)
            answered.pop("Date")
            answers.add((status, bytes_, tuple(sorted(answered.items()))))

    assert {status for status, _, _ in answers} == {401}
    assert len(answers) == 1
    assert await b.kept() == []


async def test_a_signed_body_is_taken_once(bench: Any) -> None:
    """A signature opens the source; the same message again, however it is wrapped, is a duplicate."""
    b = await bench()
    body = json.dumps(BODY).encode()
    headers = b.signature(body)

    statuses = [(await b.post("/v1/predictions/ml", body, token="", **headers))[0]]
    statuses += [(await b.post("/v1/predictions/ml", body, token="", **headers))[0]]
    unsigned = {"Idempotency-Key": "an attacker's own"}
    statuses += [(await b.post("/v1/predictions/ml", body, token="", **headers, **unsigned))[0]]
    assert statuses == [202, 200, 200]
    (first, end) = [json.loads(line) for line in (
        await b.post("/v1/predictions/ml", body, token="", **headers, **NDJSON))[2].splitlines()]  # fmt: skip
    assert (first["status"], end["done"]) == ("duplicate", True)
    assert len(await b.kept()) == 1


async def test_signed_lines_are_each_taken_once(bench: Any) -> None:
    """Signed lines without keys of their own are known by the message's id and their place."""
    b = await bench()
    body = lines(*(BODY | {"confidence": number / 10} for number in range(5)))
    headers = b.signature(body) | NDJSON
    answers = [(await b.post("/v1/predictions/ml", body, token="", **headers))[2].splitlines() for _ in range(2)]

    assert [json.loads(answer[-1])["accepted"] for answer in answers] == [5, 0]
    assert len(await b.kept()) == 5


async def test_each_line_is_answered_in_its_order(bench: Any) -> None:
    """Good, repeated, broken, wrong, blank, too long: each line has its answer, and the last one says that it is."""
    b = await bench(max_body=4096)
    body = b"\n".join(
        [
            json.dumps(prediction(1)).encode(),
            b"",
            b'{"pair": ',
            json.dumps(prediction(1)).encode(),
            json.dumps(prediction(2, horizon="1h")).encode(),
            b"[1]",
            b'{"x": "' + b"y" * 5000 + b'"}',
            b"\xff\xfe",
            json.dumps(prediction(1, confidence=0.5)).encode(),
            b"\r",
            json.dumps(prediction(3)).encode(),
        ]
    )
    *answers, last = await b.stream(body)
    kept = await b.kept()

    assert [(answer["line"], answer["status"], answer.get("code")) for answer in answers] == [
        (1, "accepted", None),
        (3, "refused", "unreadable"),
        (4, "duplicate", None),
        (5, "refused", "invalid"),
        (6, "refused", "unreadable"),
        (7, "refused", "too_large"),
        (8, "refused", "unreadable"),
        (9, "refused", "key_reused"),
        (11, "accepted", None),
    ]
    assert [life.id for life in kept] == [answers[0]["id"], answers[-1]["id"]]
    assert answers[2]["id"] == answers[0]["id"]
    assert answers[1]["errors"][0]["line"] == 3
    assert answers[3]["errors"][0]["where"] == "horizon"
    assert last == {"done": True, "accepted": 2, "duplicate": 1, "refused": 6}
    assert len(await b.journal.refusals()) == 6


async def test_lines_keep_their_order_and_are_offered(bench: Any) -> None:
    """Lines are on disk in the order in which they came, compressed or not, and delivery gets all of them."""
    b = await bench()
    body = lines(*map(prediction, range(1000)))
    *answers, last = await b.stream(gzip.compress(body), **{"Content-Encoding": "gzip"})

    assert last == {"done": True, "accepted": 1000, "duplicate": 0, "refused": 0}
    ids = [answer["id"] for answer in answers]
    assert [life.id for life in await b.kept()] == ids
    assert [accepted.draft.id for accepted in b.offered] == ids


async def test_a_line_is_answered_before_the_next_is_sent(bench: Any) -> None:
    """A caller that sends a line and waits gets its answer, with the body still open."""
    b = await bench()
    reader, writer = await asyncio.open_connection("127.0.0.1", b.web.port)
    head = f"POST /v1/predictions/ml HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {b.tokens['ml']}\r\n"
    writer.write(f"{head}Content-Type: application/x-ndjson\r\nTransfer-Encoding: chunked\r\n\r\n".encode())
    seen = []
    for number in range(3):
        line = lines(prediction(number))
        writer.write(b"%x\r\n%b\r\n" % (len(line), line))
        if not number:
            await reader.readuntil(b"\r\n\r\n")
        seen.append(await answered_line(reader))
        assert len(await b.kept()) == number + 1
    writer.write(b"0\r\n\r\n")
    assert (await answered_line(reader))["done"] is True
    assert [answer["line"] for answer in seen] == [1, 2, 3]
    writer.close()


async def answered_line(reader: asyncio.StreamReader) -> dict[str, Any]:
    """One line of an answer in chunks, each of which is a line."""
    async with asyncio.timeout(10):
        size = int(await reader.readline(), 16)
        chunk = await reader.readexactly(size + 2)
    return json.loads(chunk)


async def test_a_connection_that_breaks_leaves_each_line_once(bench: Any) -> None:
    """Broken off in the middle and sent again with the same keys, every prediction is there once."""
    b = await bench()
    documents = [prediction(number) for number in range(300)]
    body = lines(*documents)
    reader, writer = await asyncio.open_connection("127.0.0.1", b.web.port)
    head = f"POST /v1/predictions/ml HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {b.tokens['ml']}\r\n"
    writer.write(f"{head}Content-Type: application/x-ndjson\r\nContent-Length: {len(body)}\r\n\r\n".encode())
    writer.write(body[: len(body) // 2])
    await reader.readuntil(b"\r\n\r\n")
    await answered_line_of_many(reader)
    writer.transport.abort()
    await eventually(lambda: len(b.offered) >= 140)

    *answers, last = await b.stream(body)
    assert last["duplicate"] == len([answer for answer in answers if answer["status"] == "duplicate"]) >= 140
    assert last["accepted"] + last["duplicate"] == 300
    kept = await b.kept()
    assert [json.loads(life.envelope)["data"]["idempotency_key"] for life in kept] == [f"k-{n}" for n in range(300)]
    assert [answer["id"] for answer in answers] == [life.id for life in kept]


async def answered_line_of_many(reader: asyncio.StreamReader) -> None:
    async with asyncio.timeout(10):
        await reader.readline()
        await reader.readline()


async def test_what_cannot_be_stored_ends_the_answer_without_done(bench: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """A disk that fills up in the middle: what was answered is stored, the rest is not, and the last line says why."""
    b = await bench()
    accept, calls = b.journal.accept_each, count()

    async def full(drafts: Any) -> Any:
        if next(calls) == 1:
            results = await accept(drafts[:10])
            return [*results, NotStored("disk", "no space left on the device")]
        return await accept(drafts)

    monkeypatch.setattr(b.journal, "accept_each", full)
    *answers, last = await b.stream(lines(*map(prediction, range(1000))))

    assert last["done"] is False
    assert (last["status"], last["code"], last["accepted"]) == (503, "not_stored", len(answers))
    assert "disk" in last["detail"]
    assert [life.id for life in await b.kept()] == [answer["id"] for answer in answers]
    end = (await b.stream(lines(*map(prediction, range(1000)))))[-1]
    assert (end["done"], end["duplicate"], end["accepted"]) == (True, len(answers), 1000 - len(answers))


async def test_a_full_disk_at_the_beginning_gets_503(
    bench: Any, monkeypatch: pytest.MonkeyPatch
) -> None:  # fmt: skip
    """While nothing is answered yet, a failure is an answer of its own."""
    b = await bench()

    async def full(_: Any) -> Any:
        raise NotStored("disk", "no space left on the device")

    monkeypatch.setattr(b.journal, "accept_each", full)
    status, headers, answer = await b.post("/v1/predictions/ml", lines(prediction(1)), **NDJSON)
    assert (status, headers["Retry-After"], json.loads(answer)["code"]) == (503, "5", "not_stored")


async def test_an_error_that_nobody_foresaw_is_no_done(bench: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever breaks in the middle, the answer ends without done, and the listener goes on."""
    b = await bench()
    accept, calls = b.journal.accept_each, count()

    async def broken(drafts: Any) -> Any:
        if next(calls) == 1:
            raise RuntimeError("inner thoughts")
        return await accept(drafts)

    monkeypatch.setattr(b.journal, "accept_each", broken)
    *_, last = await b.stream(lines(*map(prediction, range(1000))))
    assert (last["done"], last["status"], last["code"]) == (False, 500, "internal")
    assert "inner thoughts" not in json.dumps(last)
    assert (await b.predictions(prediction(2000)))[0] == 202


async def test_a_source_over_its_limit_gets_429(bench: Any) -> None:
    """A program that sends more than it may is told when to come back, and nothing is stored."""
    b = await bench(limits={"ml": 1})
    assert (await b.predictions(prediction(1)))[0] == 202
    for headers in ({}, NDJSON):
        status, answered, answer = await b.post("/v1/predictions/ml", lines(prediction(2)), **headers)
        assert (status, answered["Retry-After"], json.loads(answer)["code"]) == (429, "60", "too_many")
    assert len(await b.kept()) == 1


async def test_a_caller_that_reads_late_gets_every_answer(bench: Any) -> None:
    """A caller that sends 20,000 lines before it reads anything is answered like any other."""
    b = await bench()
    body = lines(*({"pair": "x", "idempotency_key": str(number)} for number in range(20_000)))
    reader, writer = await asyncio.open_connection("127.0.0.1", b.web.port, limit=2**26)
    reader._transport.pause_reading()  # type: ignore[attr-defined]
    head = f"POST /v1/predictions/ml HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {b.tokens['ml']}\r\n"
    writer.write(f"{head}Content-Type: application/x-ndjson\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body)
    async with asyncio.timeout(60):
        await writer.drain()
    reader._transport.resume_reading()  # type: ignore[attr-defined]
    async with asyncio.timeout(60):
        answer = await reader.readuntil(b"0\r\n\r\n")
    assert b'{"done":true,"accepted":0,"duplicate":0,"refused":20000}' in answer
    writer.close()


async def test_a_caller_that_never_reads_is_let_go(bench: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """A caller for whom too many answers wait is disconnected, and its slot is free again."""
    monkeypatch.setattr("gateway.web.answers.UNREAD", 1024)
    b = await bench(body_timeout=0.3, max_streams=1)
    reader, writer = await asyncio.open_connection("127.0.0.1", b.web.port, limit=1024)
    head = f"POST /v1/predictions/ml HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {b.tokens['ml']}\r\n"
    writer.write(f"{head}Content-Type: application/x-ndjson\r\nTransfer-Encoding: chunked\r\n\r\n".encode())
    reader._transport.pause_reading()  # type: ignore[attr-defined]
    chunk = lines(*({"pair": "x", "features": {"f": "y" * 60}} for _ in range(500)))
    with pytest.raises(ConnectionError):
        await send_for_ever(writer, b"%x\r\n%b\r\n" % (len(chunk), chunk))
    writer.transport.abort()

    async def free() -> bool:
        status, _, _ = await b.post("/v1/predictions/ml", lines(prediction(1)), **NDJSON)
        return status == 200

    async with asyncio.timeout(10):
        while not await free():
            await asyncio.sleep(0.05)


async def send_for_ever(writer: asyncio.StreamWriter, data: bytes) -> None:
    async with asyncio.timeout(60):
        while True:
            writer.write(data)
            await writer.drain()


async def test_a_body_that_stops_arriving_is_let_go(bench: Any) -> None:
    """A caller that says nothing more is answered without done; one that never said anything gets 408."""
    b = await bench(idle=0.2)
    head = f"POST /v1/predictions/ml HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {b.tokens['ml']}\r\n"
    head += "Content-Type: application/x-ndjson\r\nContent-Length: 9999\r\n\r\n"
    answer = await b.web.raw(head.encode())
    assert answer is not None
    assert (answer.status, answer.json["code"]) == (408, "timeout")

    reader, writer = await asyncio.open_connection("127.0.0.1", b.web.port)
    writer.write(head.encode() + lines(prediction(1)) + b'{"pair')
    async with asyncio.timeout(10):
        said = await reader.read()
    assert b'"status":"accepted"' in said
    assert b'{"done":false,"status":408,"code":"timeout"' in said
    writer.close()


async def test_too_many_streams_get_503(bench: Any) -> None:
    """Beyond the bodies that may arrive at once, a caller is told to come again."""
    b = await bench(max_streams=0)
    status, _, answer = await b.post("/v1/predictions/ml", lines(prediction(1)), **NDJSON)
    assert (status, json.loads(answer)["code"]) == (503, "not_stored")


async def test_a_signed_body_is_as_long_as_any(bench: Any) -> None:
    """A signed body is read before it is trusted, so that it is bounded, also where it has lines."""
    b = await bench(max_body=1024)
    body = lines(*map(prediction, range(50)))
    status, _, answer = await b.post("/v1/predictions/ml", body, token="", **b.signature(body), **NDJSON)
    assert (status, json.loads(answer)["code"]) == (413, "too_large")
    assert (await b.stream(body))[-1]["accepted"] == 50


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "OPTIONS", "HEAD"])
async def test_another_method_gets_405(bench: Any, method: str) -> None:
    """Only POST is taken."""
    b = await bench()
    async with b.web.client.request(method, f"{b.web.url}/v1/predictions/ml") as answer:
        assert (answer.status, answer.headers["Allow"]) == (405, "POST")


@pytest.mark.parametrize(
    ("headers", "body", "status"),
    [
        ({"Content-Encoding": "br"}, b"{}", 415),
        ({"Content-Encoding": "gzip"}, b"no gzip", 400),
        ({"Content-Encoding": "gzip"}, gzip.compress(b'{"a": 1}\n' * 9)[:-4], 200),
        ({}, b"", 200),
        ({}, b"\n" * 100_000, 200),
        ({}, b"\x00" * 100, 200),
        ({}, b"[" * 100_000 + b"\n", 200),
        ({}, b'{"a":' * 10_000 + b"\n", 200),
        ({}, b'{"pair": "\\ud800"}\n' * 3, 200),
        ({"Idempotency-Key": "x" * 256}, b"{}", 422),
    ],
    ids=["br", "no gzip", "cut short", "empty", "blank", "zeros", "arrays", "deep", "half a character", "long key"],
)
async def test_hostile_bodies_are_answered(bench: Any, headers: dict[str, str], body: bytes, status: int) -> None:
    """Whatever is in the lines, there is an answer, it is no 500, and nothing is stored."""
    b = await bench()
    answered, _, answer = await b.post("/v1/predictions/ml", body, **NDJSON, **headers)

    assert answered == status, answer
    assert b'"internal"' not in answer
    assert await b.kept() == []
    assert (await b.predictions(prediction(1)))[0] == 202


@pytest.mark.parametrize(
    "path",
    ["/v1/predictions", "/v1/predictions/", "/v1/hooks/ml", "/v1/alerts/ml", "/v1/predictions/a/b", "/v2/signals/ml"],
)
async def test_there_is_nothing_else(bench: Any, path: str) -> None:
    """Beside the two addresses there is nothing below /v1."""
    b = await bench()
    answer = await b.web.raw(f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n".encode())
    assert answer is not None
    assert answer.status == 404


async def test_the_body_is_not_asked_for_before_the_token_is_right(bench: Any) -> None:
    """A caller that waits to be told to send gets its 401 instead, or is told to send."""
    b = await bench()
    for token, expected in (("wrong", b"HTTP/1.1 401"), (b.tokens["ml"], b"HTTP/1.1 100")):
        reader, writer = await asyncio.open_connection("127.0.0.1", b.web.port)
        head = f"POST /v1/predictions/ml HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\n"
        head += "Content-Type: application/x-ndjson\r\nExpect: 100-continue\r\nContent-Length: 400000\r\n\r\n"
        writer.write(head.encode())
        async with asyncio.timeout(10):
            assert (await reader.readline()).startswith(expected)
        writer.transport.abort()


async def test_a_connection_serves_on_after_a_stream(bench: Any) -> None:
    """After lines were answered to the end, the same connection takes the next request."""
    b = await bench()
    reader, writer = await asyncio.open_connection("127.0.0.1", b.web.port)
    body = lines(prediction(1))
    head = f"POST /v1/predictions/ml HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {b.tokens['ml']}\r\n"
    head += f"Content-Length: {len(body)}\r\n"
    writer.write(f"{head}Content-Type: application/x-ndjson\r\n\r\n".encode() + body)
    async with asyncio.timeout(10):
        assert b'"done":true' in await reader.readuntil(b"0\r\n\r\n")
        writer.write(f"{head}\r\n".encode() + body)
        answer = await read_answer(reader)
    assert answer is not None
    assert (answer.status, answer.json["status"]) == (200, "duplicate")
    writer.close()


async def test_a_token_that_was_replaced_ends_the_body_that_it_began(bench: Any) -> None:
    """A rotation acts at once: whoever holds the old token keeps no request open to send more."""
    b = await bench()
    reader, writer = await asyncio.open_connection("127.0.0.1", b.web.port)
    head = f"POST /v1/predictions/ml HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {b.tokens['ml']}\r\n"
    writer.write(f"{head}Content-Type: application/x-ndjson\r\nTransfer-Encoding: chunked\r\n\r\n".encode())
    for number in range(2):
        line = lines(prediction(number))
        writer.write(b"%x\r\n%b\r\n" % (len(line), line))
        if not number:
            await reader.readuntil(b"\r\n\r\n")
            assert (await answered_line(reader))["status"] == "accepted"
            rotate(b.keys, "ml", now=NOW)
    last = await answered_line(reader)

    assert (last["done"], last["status"], last["code"], last["accepted"]) == (False, 401, "unauthorised", 1)
    assert len(await b.kept()) == 1
    writer.close()


async def test_a_token_that_works_once_opens_the_whole_of_a_body(bench: Any) -> None:
    """All lines of one request are one use of it."""
    b = await bench()
    token = b.ring.mint("ml")
    body = lines(*map(prediction, range(300)))
    answers = [await b.post("/v1/predictions/ml", body, token=token, **NDJSON) for _ in range(2)]

    assert json.loads(answers[0][2].splitlines()[-1])["accepted"] == 300
    assert answers[1][0] == 401


async def test_a_listener_that_stops_ends_the_bodies_that_still_arrive(
    bench: Any, caplog: pytest.LogCaptureFixture
) -> None:
    """A gateway that stops does not wait for a body without an end: it says so in the last line, without done."""
    b = await bench()
    reader, writer = await asyncio.open_connection("127.0.0.1", b.web.port)
    head = f"POST /v1/predictions/ml HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {b.tokens['ml']}\r\n"
    writer.write(f"{head}Content-Type: application/x-ndjson\r\nTransfer-Encoding: chunked\r\n\r\n".encode())
    line = lines(prediction(1))
    writer.write(b"%x\r\n%b\r\n" % (len(line), line))
    await reader.readuntil(b"\r\n\r\n")
    assert (await answered_line(reader))["status"] == "accepted"
    stopping = asyncio.create_task(b.web.listener.stop())
    began = asyncio.get_running_loop().time()
    last = await answered_line(reader)

    assert (last["done"], last["code"], last["detail"]) == (False, "not_stored", "The gateway is stopping.")
    await stopping
    assert asyncio.get_running_loop().time() - began < 2
    assert caplog.text == ""
    writer.close()
