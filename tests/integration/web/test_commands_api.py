"""Commands over HTTP: what is sent for a request, and the answer to every outcome."""

from __future__ import annotations

from typing import Any

import pytest

from gateway.bots.calls import Ended, NotDelivered, Outcome
from schemas.command import Command
from schemas.rpc import Reply
from tests.integration.web.test_private_api import KEY, Bench, audit, bench

__all__ = ["bench"]

GOOD: dict[str, dict[str, Any]] = {
    "import": {"strategy": "pmm"},
    "balance-limit": {"exchange": "binance", "asset": "BTC", "amount": -1},
    "balance-paper": {"asset": "BTC", "amount": "0.5"},
}


async def post(bench: Bench, command: str, data: Any = None, *, bot: str = "one", **headers: str) -> tuple[int, Any]:
    url = f"{bench.web.url}/api/v1/bots/{bot}/commands/{command}"
    async with bench.web.client.post(url, headers={**KEY, **headers}, json={} if data is None else data) as answer:
        assert answer.content_type == ("application/json" if answer.status == 200 else "application/problem+json")
        return answer.status, await answer.json(content_type=None)


@pytest.mark.parametrize("command", Command)
async def test_every_command_has_an_address_and_goes_out_as_it_came(bench: Bench, command: Command) -> None:
    word = command.replace("/", "-")
    data = GOOD.get(word, {})
    assert (await post(bench, word, data))[0] == 200

    (call,) = bench.calls
    assert (call.bot, call.command, call.data, call.who) == ("one", command.value, data, "cli")
    assert (call.timeout, call.key) == (35.0, "")
    assert audit(bench) == [("cli", "one", "done")]


async def test_a_bots_own_command_takes_any_object(bench: Bench) -> None:
    assert (await post(bench, "command/rebalance", {"to": [1, 2]}))[0] == 200
    assert (bench.calls[0].command, bench.calls[0].data) == ("command/rebalance", {"to": [1, 2]})


@pytest.mark.parametrize(
    "command", ["shutdown", "balance/limit", "custom/a", "command", "command/", "command/a/b", "command/a.b", ""]
)
async def test_what_is_no_command_is_not_sent(bench: Bench, command: str) -> None:
    status, document = await post(bench, command)
    assert status == 404
    assert document["code"] == "unknown_command"
    assert bench.calls == []


@pytest.mark.parametrize("bot", ["a%2Fb", "a%23", "%2B", "a.b", "x" * 129])
async def test_what_is_no_bots_name_is_not_sent(bench: Bench, bot: str) -> None:
    assert (await post(bench, "stop", bot=bot))[0] == 400
    assert bench.calls == []


async def test_wrong_parameters_are_all_named_and_nothing_is_sent(bench: Bench) -> None:
    status, document = await post(bench, "start", {"scirpt": "a.py", "is_quickstart": "yes"})

    assert (status, document["code"]) == (422, "invalid")
    assert [(fault["where"], fault["problem"]) for fault in document["errors"]] == [
        ("scirpt", "is no parameter of start"),
        ("is_quickstart", "must be true or false"),
    ]
    assert "script" in document["errors"][0]["cause"]
    assert bench.calls == []
    assert audit(bench) == [("cli", "one", "refused")]


@pytest.mark.parametrize(("text", "seconds"), [("1", 1.0), ("2.5", 2.5), ("60", 60.0)])
async def test_the_caller_says_how_long_it_waits(bench: Bench, text: str, seconds: float) -> None:
    assert (await post(bench, f"stop?timeout={text}"))[0] == 200
    assert bench.calls[0].timeout == seconds


@pytest.mark.parametrize("text", ["0", "0.9", "61", "-1", "", "nan", "1e1", "100"])
async def test_a_wait_out_of_bounds_is_refused(bench: Bench, text: str) -> None:
    assert (await post(bench, f"stop?timeout={text}"))[0] == 400
    assert bench.calls == []


@pytest.mark.parametrize(("header", "key"), [("7", "7"), ('"7"', "7"), ("x" * 255, "x" * 255)])
async def test_the_idempotency_key_is_the_calls_id(bench: Bench, header: str, key: str) -> None:
    assert (await post(bench, "stop", None, **{"Idempotency-Key": header}))[0] == 200
    assert bench.calls[0].key == key


async def test_an_idempotency_key_that_is_too_long_is_refused(bench: Bench) -> None:
    assert (await post(bench, "stop", None, **{"Idempotency-Key": "x" * 256}))[0] == 422
    assert bench.calls == []


async def test_done_has_the_whole_reply(bench: Bench) -> None:
    reply = Reply(status=200, msg="ok", more={"trades": [{"price": "1"}], "outcome": "refused"})
    bench.ended = Ended(outcome=Outcome.DONE, reply=reply)

    assert await post(bench, "history") == (
        200,
        {
            "outcome": "done",
            "bot": "one",
            "command": "history",
            "reply": {"status": 200, "msg": "ok", "trades": [{"price": "1"}], "outcome": "refused"},
        },
    )


async def test_what_the_bot_refuses_is_409_with_its_words(bench: Bench) -> None:
    bench.ended = Ended(outcome=Outcome.REFUSED, words="no strategy", reply=Reply(status=400, msg="no strategy"))
    status, document = await post(bench, "status")

    assert (status, document["status"], document["code"], document["outcome"]) == (
        409,
        409,
        "refused_by_bot",
        "refused",
    )
    assert document["detail"] == "no strategy"
    assert document["reply"] == {"status": 400, "msg": "no strategy"}
    assert audit(bench) == [("cli", "one", "refused")]


async def test_what_nobody_knows_is_504_and_the_audit_says_unknown(bench: Bench) -> None:
    bench.ended = Ended(outcome=Outcome.UNKNOWN, words="one did not answer")
    status, document = await post(bench, "start")

    assert (status, document["code"], document["outcome"]) == (504, "unanswered", "unknown")
    assert "reply" not in document
    assert audit(bench) == [("cli", "one", "unknown")]


async def test_what_was_not_delivered_is_503_to_be_sent_again(bench: Bench) -> None:
    bench.ended = NotDelivered("The gateway has no connection to the broker: refused.")
    url = f"{bench.web.url}/api/v1/bots/one/commands/stop"
    async with bench.web.client.post(url, headers=KEY, json={}) as answer:
        assert (answer.status, answer.headers["Retry-After"]) == (503, "5")
        document = await answer.json(content_type=None)

    assert (document["code"], document["detail"]) == ("not_delivered", str(bench.ended))
    assert "outcome" not in document
    assert audit(bench) == [("cli", "one", "refused")]


async def test_a_command_is_not_sent_by_reading(bench: Bench) -> None:
    await bench.get("/api/v1/bots/one/commands/stop", status=405)
    assert bench.calls == []


@pytest.mark.parametrize("body", [b"[]", b"1", b"{", b"\xff"])
async def test_a_body_that_is_no_object_is_not_sent(bench: Bench, body: bytes) -> None:
    url = f"{bench.web.url}/api/v1/bots/one/commands/stop"
    headers = {**KEY, "Content-Type": "application/json"}
    async with bench.web.client.post(url, headers=headers, data=body) as answer:
        assert answer.status == 400
    assert bench.calls == []
