"""Commands to bots on the command line: what is asked of the gateway, what is printed, and how it ends."""

from __future__ import annotations

import json
import threading
from socket import create_server
from typing import Any

import pytest

from gateway.cli import reply_lines
from tests.unit.cli.conftest import Call
from tests.unit.cli.test_gateway import Gateway, gateway

__all__ = ["gateway"]

PATH = "/api/v1/bots/one/commands"


def done(**reply: Any) -> tuple[int, Any]:
    return 200, {"outcome": "done", "bot": "one", "command": "x", "reply": {"status": 200, "msg": "", **reply}}


def asked(gateway: Gateway) -> tuple[str, Any]:
    """The address and the body of the last request."""
    method, path, _, body = gateway.asked[-1]
    assert method == "POST"
    return path, json.loads(body)


@pytest.mark.parametrize(
    ("arguments", "word", "data"),
    [
        (["start", "one"], "start", {"is_quickstart": False, "async_backend": False}),
        (
            ["start", "one", "--script", "a", "--conf", "b", "--log-level", "C", "--quickstart", "--no-wait"],
            "start",
            {"script": "a", "conf": "b", "log_level": "C", "is_quickstart": True, "async_backend": True},
        ),
        (["stop", "one"], "stop", {"skip_order_cancellation": False, "async_backend": False}),
        (
            ["stop", "one", "--skip-order-cancellation"],
            "stop",
            {"skip_order_cancellation": True, "async_backend": True},
        ),
        (["status", "one"], "status", {"async_backend": False}),
        (["import", "one", "pmm"], "import", {"strategy": "pmm"}),
        (["config", "one"], "config", {"params": []}),
        (
            ["config", "one", "spread=0.1", "name=a=b", "on=true"],
            "config",
            {"params": [["spread", 0.1], ["name", "a=b"], ["on", True]]},
        ),
        (
            ["history", "one", "--days", "2"],
            "history",
            {"days": 2.0, "verbose": False, "precision": None, "async_backend": False},
        ),
        (["balance", "one", "--asset", "BTC"], "balance", {"asset": "BTC"}),
        (
            ["balance-limit", "one", "binance", "BTC", "-1"],
            "balance-limit",
            {"exchange": "binance", "asset": "BTC", "amount": -1},
        ),
        (["balance-paper", "one", "BTC", "0.5"], "balance-paper", {"asset": "BTC", "amount": 0.5}),
        (
            ["balance-paper", "one", "BTC", "0.1000000000000000000001"],
            "balance-paper",
            {"asset": "BTC", "amount": "0.1000000000000000000001"},
        ),
        (["command", "one", "rebalance", '{"to": 0.5}'], "command/rebalance", {"to": 0.5}),
        (["command", "one", "rebalance"], "command/rebalance", {}),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_a_command_asks_the_gateway_for_what_was_typed(
    call: Call, gateway: Gateway, *, arguments: list[str], word: str, data: Any
) -> None:
    call("init")
    gateway.answers[f"{PATH}/{word}"] = done()
    ended = call("bots", *arguments)

    assert ended.code == 0, ended.err
    assert asked(gateway) == (f"{PATH}/{word}?timeout=35", data)


@pytest.mark.parametrize(
    "arguments",
    [
        ["config", "one", "spread"],
        ["config", "one", "=1"],
        ["command", "one", "rebalance", "[]"],
        ["command", "one", "rebalance", "{"],
        ["balance-paper", "one", "BTC", "much"],
        ["balance-paper", "one", "BTC", "nan"],
        ["balance-limit", "one", "x", "BTC", "1e999999999"],
        ["status", "one", "--timeout", "0.5"],
        ["status", "one", "--timeout", "61"],
        ["import", "one"],
    ],
    ids=" ".join,
)
def test_what_cannot_be_meant_is_wrong_usage_and_asks_nobody(
    call: Call, gateway: Gateway, arguments: list[str]
) -> None:
    call("init")
    assert call("bots", *arguments).code == 2
    assert gateway.asked == []


def test_what_the_bot_refused_is_said_in_its_words_and_ends_with_1(call: Call, gateway: Gateway) -> None:
    call("init")
    gateway.answers[f"{PATH}/status"] = (409, {"detail": "\x1b[2Jno strategy", "outcome": "refused"})
    ended, as_json = call("bots", "status", "one"), call("bots", "status", "one", "--json")

    assert (ended.code, ended.err) == (1, "one refused status: \\x1b[2Jno strategy\n")
    assert as_json.error["outcome"] == "refused"


def test_what_nobody_knows_ends_with_3(call: Call, gateway: Gateway) -> None:
    call("init")
    gateway.answers[f"{PATH}/start"] = (504, {"detail": "one did not answer start within 2 s", "outcome": "unknown"})
    ended, as_json = call("bots", "start", "one", "--timeout", "2.00049"), call("bots", "start", "one", "--json")

    assert (ended.code, ended.err) == (3, "one did not answer start within 2 s\n")
    assert as_json.error["outcome"] == "unknown"
    assert gateway.asked[0][1].endswith("?timeout=2")


def test_what_was_not_delivered_ends_with_1_as_nothing_was_run(call: Call, gateway: Gateway) -> None:
    call("init")
    gateway.answers[f"{PATH}/stop"] = (503, {"detail": "Nobody listens", "code": "not_delivered"})

    assert call("bots", "stop", "one").code == 1


def test_wrong_parameters_are_all_named(call: Call, gateway: Gateway) -> None:
    call("init")
    errors = [{"where": "days", "problem": "is a number"}, {"where": "x", "problem": "is none", "cause": "It has y."}]
    gateway.answers[f"{PATH}/history"] = (422, {"detail": "days", "errors": errors})

    assert call("bots", "history", "one").err == "days: is a number.\nx: is none. It has y.\n"


def test_without_a_gateway_nothing_was_sent(call: Call) -> None:
    call("init")
    ended = call("bots", "stop", "one", "--json")

    assert ended.code == 3
    assert "outcome" not in ended.error
    assert "start it with signal-gateway run" in ended.error["message"]


def test_a_gateway_that_ends_before_it_answers_leaves_it_unknown(call: Call, ports: dict[str, int]) -> None:
    call("init")
    with create_server(("127.0.0.1", ports["HTTP__PRIVATE"])) as server:

        def hang_up() -> None:
            connection, _ = server.accept()
            connection.recv(65536)
            connection.close()

        thread = threading.Thread(target=hang_up)
        thread.start()
        ended = call("bots", "stop", "one", "--json")
        thread.join()

    assert ended.code == 3
    assert ended.error["outcome"] == "unknown"
    assert "one may have run stop, or not" in ended.error["message"]


TRADE = {
    "market": "binance",
    "trade_id": "7",
    "price": "65000.0",
    "quantity": "0.01",
    "symbol": "BTC-USDT",
    "trade_timestamp": 1786000000000,
    "trade_type": "BUY",
}


@pytest.mark.parametrize(
    ("lines", "reply", "expected"),
    [
        (reply_lines.plain, {"status": 200, "msg": ""}, ["done"]),
        (reply_lines.plain, {"status": 200, "msg": "a\nb", "data": None}, ["a", "b"]),
        (reply_lines.plain, {"status": 200, "data": {"x": 1}}, ['data: {"x": 1}']),
        (reply_lines.status, {"msg": "up\n  2 orders"}, ["up", "  2 orders"]),
        (reply_lines.status, {"msg": "", "data": "up\ndown"}, ["up", "down"]),
        (reply_lines.status, {}, ["it says nothing"]),
        (
            reply_lines.history,
            {"trades": [TRADE]},
            ["2026-08-06T07:06:40.000000Z  BUY  0.01 BTC-USDT at 65000.0  binance", "1 trade"],
        ),
        (reply_lines.history, {"trades": []}, ["0 trades"]),
        (reply_lines.history, {"trades": [7, {}]}, ["7", f"{'':<27}  ?    ? ? at ?", "2 trades"]),
        (reply_lines.history, {"msg": "text only"}, ["text only"]),
        (
            reply_lines.balance,
            {"data": {"binance": {"BTC": "0.5", "USDT": {"total": "100", "available": "40"}}, "odd": 7}},
            [
                "exchange  asset  total  available",
                "binance   BTC      0.5",
                "binance   USDT     100         40",
                "odd                  7",
            ],
        ),
        (
            reply_lines.balance,
            {"data": {"binance": {"BTC": "0.5", "USDT": "100"}}},
            ["exchange  asset  total", "binance   BTC      0.5", "binance   USDT     100"],
        ),
        (reply_lines.balance, {"data": {}}, ["it holds nothing"]),
        (reply_lines.balance, {"data": None}, ["done"]),
        (
            reply_lines.config,
            {"changes": [["spread", 0.1], "x"], "config": {"a": {"b": 1, "c": {}}, "d": "e"}},
            ["changed spread: 0.1", "changed x", "a.b: 1", "a.c: {}", "d: e"],
        ),
        (reply_lines.config, {"config": [1]}, ["[1]"]),
        (reply_lines.changed, {"msg": "later", "changes": [["a", 1]], "config": {"b": 2}}, ["later", "changed a: 1"]),
        (reply_lines.changed, {"changes": [], "config": {"b": 2}}, ["b: 2"]),
        (reply_lines.changed, {"config": {"b": 2}}, ["b: 2"]),
    ],
)
def test_an_answer_is_legible_whatever_the_bot_makes_of_it(
    lines: reply_lines.Lines, reply: dict[str, Any], expected: list[str]
) -> None:
    assert list(lines(reply)) == expected
