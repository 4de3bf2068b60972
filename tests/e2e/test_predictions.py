"""From a pipeline's predictions over HTTP to their topics, in whole processes, also when the gateway is killed."""

from __future__ import annotations

import json
import signal
import socket
import sqlite3
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import closing, suppress
from datetime import UTC, datetime
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import Any

import pytest
from standardwebhooks import Webhook

from schemas.receipt import Stage
from tests.e2e.deployment import Deployment, until

PAIRS = ("BTC-USDT", "ETH-USDT", "SOL-USDT")
SOURCES = {"ml": {"type": "prediction", "models": ["btc-lstm"], "interval": "1h"}}


def prediction(number: int, *, tag: str = "k") -> dict[str, Any]:
    return {
        "pair": PAIRS[number % 3],
        "probabilities": {"short": 0.1, "neutral": 0.2, "long": 0.7},
        "confidence": number / 100_000,
        "observed_at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "horizon": 3600,
        "idempotency_key": f"{tag}-{number}",
    }


def body_of(documents: list[dict[str, Any]]) -> bytes:
    return b"".join(json.dumps(document).encode() + b"\n" for document in documents)


def stream(deployment: Deployment, token: str, body: bytes) -> list[dict[str, Any]]:
    """Post lines in one request, as far as it is answered."""
    connection = HTTPConnection("127.0.0.1", deployment.public, timeout=60)
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/x-ndjson"}
    answers = []
    with suppress(OSError, HTTPException):
        connection.request("POST", "/v1/predictions/ml", body=body, headers=headers)
        with connection.getresponse() as response:
            assert response.status == 200
            answers.extend(map(json.loads, response))
    connection.close()
    return answers


def new_token(deployment: Deployment) -> str:
    token = deployment.cli("keys", "rotate", "ml", "--json")["token"]
    assert isinstance(token, str)
    return token


def memory(pid: int) -> int:
    """Kilobytes that a process has in memory."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS"))


def seen(bot: Any) -> Iterator[dict[str, Any]]:
    """The envelopes that a bot saw on the topics that it watches, as each came first: a slow bot is sent them again."""
    ids = set()
    for entry in bot.entries():
        if "payload" in entry and (envelope := json.loads(entry["payload"]))["id"] not in ids:
            ids.add(envelope["id"])
            yield envelope


def journalled(deployment: Deployment) -> Iterator[tuple[int, str]]:
    """Position and idempotency key of every signal on the disk of a gateway that runs."""
    with closing(sqlite3.connect(f"file:{deployment.data}/journal/journal.db?mode=ro", uri=True)) as database:
        for position, head in database.execute("SELECT position, head FROM signals"):
            yield position, json.loads(head)["data"]["idempotency_key"]


@pytest.mark.timeout(240)
def test_10_000_predictions_of_one_request_arrive_in_order_and_memory_stays_flat(deploy):
    """One request of 10,000 lines: all are journalled and published in their pairs' order, and memory does not grow."""
    deployment = deploy(sources=SOURCES, external=False)  # keeps all for a reader that sends no receipts
    token = new_token(deployment)
    bot = deployment.start_bot("bot-a", WATCH="signals/v1/prediction/ml/+")
    stream(deployment, token, body_of([prediction(number, tag="first") for number in range(1000)]))
    before = memory(deployment.gateway_pid)

    *answers, last = stream(deployment, token, body_of([prediction(number) for number in range(10_000)]))
    grown = memory(deployment.gateway_pid) - before

    assert last == {"done": True, "accepted": 10_000, "duplicate": 0, "refused": 0}
    assert [answer["line"] for answer in answers] == list(range(1, 10_001))
    assert grown < 16 * 1024, f"{grown} KiB"
    until(lambda: bot.record.read_bytes().count(b'"payload"') >= 11_000, within=180)
    first = until(lambda: len(found := {envelope["id"]: envelope for envelope in seen(bot)}) >= 11_000 and found)
    keys = defaultdict(list)
    for envelope in first.values():
        keys[envelope["partitionkey"]].append((envelope["sequence"], envelope["data"]["idempotency_key"]))
    for number, pair in enumerate(PAIRS):
        found = keys[f"ml/{pair}"]
        assert found == sorted(found)
        sent = [f"k-{n}" for n in range(number, 10_000, 3)]
        assert [key for _, key in found if key.startswith("k-")] == sent


@pytest.mark.timeout(300)
def test_10_000_predictions_of_one_request_reach_a_bot_in_order_with_a_receipt_each(deploy, external):
    """One request of 10,000 lines: on_prediction is called once for each, in its pair's order; each has its receipt."""
    deployment = deploy(sources=SOURCES, external=external)
    token = new_token(deployment)
    bot = deployment.start_bot("bot-a", sources="ml")

    *answers, last = stream(deployment, token, body_of([prediction(number) for number in range(10_000)]))

    assert last == {"done": True, "accepted": 10_000, "duplicate": 0, "refused": 0}
    until(lambda: bot.record.read_bytes().count(b'"predicted"') >= 10_000, within=240)
    called = defaultdict(list)
    for entry in bot.handled():
        assert entry["handler"] == "predicted"
        called[entry["key"]].append(entry["id"])
    for number, pair in enumerate(PAIRS):
        assert called[f"ml/{pair}"] == [answer["id"] for answer in answers[number::3]]
    until(lambda: deployment.metric("signal_gateway_receipts_total", stage="handled") >= 10_000, within=60)
    assert finals(deployment) == {answer["id"]: ["handled"] for answer in answers}


def finals(deployment: Deployment) -> dict[str, list[str]]:
    """By signal, the final stages of the receipts that are on the disk of a gateway that runs."""
    found = defaultdict(list)
    with closing(sqlite3.connect(f"file:{deployment.data}/journal/journal.db?mode=ro", uri=True)) as database:
        rows = database.execute("SELECT id, stage FROM receipts JOIN signals USING (position)")
        for id_, stage in rows.fetchall():
            if Stage(stage).final:
                found[id_].append(stage)
    return dict(found)


@pytest.mark.parametrize("again", ["everything", "the unanswered"])
def test_a_gateway_that_is_killed_in_the_middle_has_each_line_once(deploy, again):
    """Killed while it takes 6,000 lines, and sent the rest again: all that was answered is there, once and in order."""
    deployment = deploy(sources=SOURCES, external=False)
    token = new_token(deployment)
    documents = [prediction(number) for number in range(6000)]
    body = body_of(documents)
    connection = socket.create_connection(("127.0.0.1", deployment.public), timeout=30)
    head = f"POST /v1/predictions/ml HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\n"
    head += f"Content-Type: application/x-ndjson\r\nContent-Length: {len(body)}\r\n\r\n"
    connection.sendall(head.encode() + body[: len(body) // 2])
    answered = b""
    while answered.count(b'"accepted"') < 500:
        answered += connection.recv(65_536)
    assert deployment.stop_gateway(signal.SIGKILL) == -signal.SIGKILL
    connection.close()
    first = {}
    for line in answered.splitlines():
        with suppress(ValueError, TypeError, KeyError):
            answer = json.loads(line)
            first[answer["line"]] = answer["id"]

    deployment.start_gateway()
    rest = documents if again == "everything" else [one for n, one in enumerate(documents, 1) if n not in first]
    *answers, last = stream(deployment, token, body_of(rest))
    assert last["done"] is True
    assert (last["accepted"] + last["duplicate"], last["refused"]) == (len(rest), 0)
    assert len(first) >= 500
    if again == "everything":
        assert all(answers[line - 1]["id"] == id_ for line, id_ in first.items())
    assert deployment.metric("signal_gateway_outbox_depth") == 6000
    kept = list(journalled(deployment))
    assert [key for _, key in sorted(kept)] == [f"k-{number}" for number in range(6000)]


def test_no_token_and_no_signing_secret_is_anywhere(deploy):
    """What opens a source is on no disk but in its own file, and in no log and no answer, right or wrong."""
    deployment = deploy(sources=SOURCES, external=False)
    token, wrong = new_token(deployment), "sg_a-token-of-nobody"
    secret = deployment.cli("keys", "rotate", "ml", "--signing", "--json")["signing_secret"]
    told = {"model": {"name": "btc-lstm", "version": token}, "features": {token: 1}}
    plain, signed = (json.dumps(prediction(1) | more).encode() for more in (told, {"idempotency_key": "k-2"}))
    at = datetime.now(UTC)
    signature = Webhook(secret).sign("m-1", at, signed.decode())
    headers = {"webhook-id": "m-1", "webhook-timestamp": str(int(at.timestamp())), "webhook-signature": signature}
    answers = [
        post(deployment, plain, {"Authorization": f"Bearer {token}"}),
        post(deployment, plain, {"Authorization": f"Bearer {wrong}"}),
        post(deployment, signed, headers),
        post(deployment, signed + b" ", headers),
    ]
    deployment.stop_gateway()

    assert [status for status, _ in answers] == [202, 401, 202, 401]
    texts = [file.read_bytes().decode(errors="replace") for file in (deployment.data / "journal").iterdir()]
    texts += [(deployment.folder / "gateway.log").read_text(), *(answer for _, answer in answers)]
    assert not [one for one in (token, wrong, secret, signature) for text in texts if one in text]


def post(deployment: Deployment, body: bytes, headers: dict[str, str]) -> tuple[int, str]:
    """Post one prediction; the status and the answer."""
    connection = HTTPConnection("127.0.0.1", deployment.public, timeout=10)
    connection.request("POST", "/v1/predictions/ml", body, headers)
    with connection.getresponse() as response:
        answer = response.status, response.read().decode()
    connection.close()
    return answer
