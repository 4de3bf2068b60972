"""The commands that speak to a running gateway, and what they make of its answers."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from gateway.cli.life import life_lines
from gateway.cli.send import content_type
from gateway.cli.signal_line import signal_line
from schemas.envelope import TRADE, Envelope
from schemas.fields import instant
from schemas.topics import Mode
from tests.unit.cli.conftest import Call

LIFE = {
    "id": "0193a6c2-1",
    "source": "tradingview",
    "body": "trade",
    "mode": "live",
    "instrument": "BTC-USDT",
    "effect": "open",
    "accepted_at": "2026-11-22T10:15:01.123456Z",
    "expires_at": "2026-11-22T10:16:01.123456Z",
    "envelope": {"data": {"action": "buy", "message": "\x1b[2J", "fired_at": "2026-11-22T10:15:00Z"}},
    "deliveries": [
        {
            "destination": "signals",
            "topic": "signals/v1/trade/tradingview/BTC-USDT",
            "station": "published",
            "at": "2026-11-22T10:15:01.126000Z",
            "published_at": "2026-11-22T10:15:01.126000Z",
            "awaiting": [],
            "reason": "",
            "attempts": 2,
        }
    ],
    "receipts": [
        {
            "signal": "0193a6c2-1",
            "bot": "demo",
            "handler": "act",
            "stage": "failed",
            "reason": "\x1b[31mno",
            "at": "2026-11-22T10:15:01.200000Z",
            "started_at": "2026-11-22T10:15:01.130000Z",
            "stored_at": "2026-11-22T10:15:01.210000Z",
        }
    ],
}


@dataclass
class Gateway:
    """Two listeners that answer as they are told, and remember what they were asked."""

    answers: dict[str, tuple[int, Any]] = field(default_factory=dict)
    asked: list[tuple[str, str, dict[str, str], bytes]] = field(default_factory=list)


@pytest.fixture
def gateway(ports: dict[str, int]) -> Iterator[Gateway]:
    fake = Gateway()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            fake.asked.append((self.command, self.path, dict(self.headers), body))
            nothing = 404, {"title": "There is nothing here"}
            status, document = fake.answers.get(self.path) or fake.answers.get(self.path.partition("?")[0], nothing)
            self.send_response(status)
            self.end_headers()
            self.wfile.write(json.dumps(document).encode())

        do_POST = do_GET  # noqa: N815  # the name that http.server calls

        def log_message(self, *_: object) -> None:
            pass

    servers = [ThreadingHTTPServer(("127.0.0.1", ports[name]), Handler) for name in ("HTTP__PUBLIC", "HTTP__PRIVATE")]
    for server in servers:
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    yield fake
    for server in servers:
        server.shutdown()
        server.server_close()


def test_signals_lists_what_came_in_with_the_token_of_the_data_folder(
    call: Call, gateway: Gateway, tmp_path: Path
) -> None:
    call("init")
    gateway.answers["/api/v1/signals"] = (200, {"signals": [LIFE], "next": None})
    listed = call("signals", "--source", "tradingview", "--limit", "5")

    assert listed.code == 0, listed.err
    assert "buy" in listed.out
    assert "demo failed" in listed.out
    method, path, headers, _ = gateway.asked[0]
    assert (method, path) == ("GET", "/api/v1/signals?source=tradingview&limit=5")
    token = (tmp_path / "data/secrets/api.token").read_text().strip()
    assert headers["Authorization"] == f"Bearer {token}"
    assert token not in listed.out + listed.err


@pytest.mark.parametrize(
    ("answer", "code", "words"),
    [
        ((200, {"status": "ready", "broker": "away"}), 0, "ready; the broker is away"),
        ((503, {"status": "unready", "reason": "the disk is full"}), 1, "no signal can be taken: the disk is full"),
        ((404, "not a gateway"), 1, "no signal can be taken: the gateway answered 404"),
    ],
)
def test_health_tells_a_supervisor_by_its_exit_code_whether_signals_can_be_taken(
    call: Call, gateway: Gateway, answer: tuple[int, Any], code: int, words: str
) -> None:
    call("init")
    gateway.answers["/readyz"] = answer
    ended = call("health")

    assert ended.code == code
    assert (ended.out + ended.err).strip() == words
    assert "Authorization" not in gateway.asked[0][2]


def test_health_ends_with_3_where_no_gateway_answers(call: Call) -> None:
    call("init")
    ended = call("health")

    assert ended.code == 3
    assert "no gateway answers at 127.0.0.1" in ended.err


def receipted(*said: tuple[str, str, str]) -> list[dict[str, Any]]:
    at = "2026-11-22T10:15:01.2Z"
    return [{"signal": "s", "bot": bot, "handler": handler, "stage": stage, "at": at} for bot, handler, stage in said]


@pytest.mark.parametrize(
    ("station", "awaiting", "said", "outcome"),
    [
        ("receipted", [], [("a", "x", "started"), ("a", "x", "handled"), ("b", "x", "failed")], "b failed, a handled"),
        ("receipted", [], [("a", "x", "handled"), ("a", "x", "started"), ("a", "y", "handled")], "a handled"),
        ("published", ["c"], [("a", "x", "handled")], "awaits c, a handled"),
        ("receipted", [], [("a", "x", "handled"), ("a", "x", "filled"), ("b", "x", "filled")], "a filled, b filled"),
        ("receipted", [], [("a", "x", "failed"), ("a", "x", "filled")], "a failed"),
        ("unanswered", ["c"], [("a", "x", "handled")], "signals unanswered, a handled"),
        ("held", [], [], "signals held"),
        ("published", [], [], "signals published"),
    ],
)
def test_a_line_says_of_each_bot_what_became_of_it_and_first_what_is_wrong(
    call: Call, gateway: Gateway, *, station: str, awaiting: list[str], said: list[tuple[str, str, str]], outcome: str
) -> None:
    call("init")
    delivery = LIFE["deliveries"][0] | {"station": station, "awaiting": awaiting}
    life = LIFE | {"deliveries": [delivery], "receipts": receipted(*said)}
    gateway.answers["/api/v1/signals"] = (200, {"signals": [life], "next": None})

    assert f"  {outcome}  0193a6c2-1" in call("signals").out


def test_as_many_lines_as_asked_come_however_the_pages_fall(call: Call, gateway: Gateway) -> None:
    call("init")

    def page(numbers: range, following: int | None) -> tuple[int, Any]:
        return 200, {"signals": [LIFE | {"id": f"s{number}"} for number in numbers], "next": following}

    gateway.answers["/api/v1/signals?limit=4"] = page(range(2), 70)
    gateway.answers["/api/v1/signals?limit=4&before=70"] = page(range(2, 300), 60)

    listed = call("signals", "--limit", "4", "--json")

    assert [one["id"] for one in listed.json["signals"]] == ["s0", "s1", "s2", "s3"]


def test_what_expired_without_a_receipt_says_so_before_it_is_given_up(call: Call, gateway: Gateway) -> None:
    call("init")
    delivery = LIFE["deliveries"][0] | {"awaiting": ["c"]}
    gateway.answers["/api/v1/signals/s"] = (200, LIFE | {"id": "s", "deliveries": [delivery]})

    assert "expired at 2026-11-22T10:16:01.123456Z without a receipt of c" in call("signals", "s").out


BOT = {
    "name": "one",
    "profile": "plugin",
    "state": "left",
    "alive": False,
    "state_since": "2026-11-22T10:15:01.123456Z",
    "last_seen_at": "2026-11-22T10:14:59.000000Z",
    "last_seen_by": "heartbeat",
    "login": True,
    "sources": [],
    "online": False,
    "absent_since": "2026-11-22T10:15:01.123456Z",
    "subscriptions": ["signals/v1/trade/+/+"],
    "durable": False,
    "plugin": "0.1",
    "clock": {"offset_seconds": 45.04, "problem": "clock is 45.0 s ahead of the gateway's"},
    "unreceived": 3,
    "last_receipt_at": "2026-11-22T10:15:00.000000Z",
}


def test_bots_list_shows_how_each_bot_is_and_whose_clock_is_wrong(call: Call, gateway: Gateway) -> None:
    call("init")
    others = {"online": True, "absent_since": None, "durable": True, "clock": {"offset_seconds": 0.0, "problem": None}}
    others |= {"state": "alive", "alive": True}
    never = {"online": False, "absent_since": None, "plugin": None, "durable": None, "unreceived": 0}
    never |= {"clock": {"offset_seconds": None, "problem": None}, "last_receipt_at": None, "subscriptions": []}
    never |= {"state": "unknown", "state_since": None, "profile": "hummingbot", "last_seen_at": None}
    gateway.answers["/api/v1/bots"] = (
        200,
        {"bots": [BOT, BOT | others | {"name": "two", "login": False}, BOT | never | {"name": "demo"}]},
    )
    listed, as_json = call("bots", "list"), call("bots", "list", "--json").json["bots"]

    assert [bot["name"] for bot in as_json] == ["demo", "one", "two"]
    assert as_json[0]["created"]
    assert f"all sources, login made {as_json[0]['created']}" in listed.out
    assert as_json[1] == BOT | {"created": None}
    demo, stock, one, subscriptions, details, wrong, two, *_ = listed.out.splitlines()
    assert "never seen" in demo
    assert stock == "    a stock bot (hummingbot)"
    assert "left since 2026-11-22T10:15:01.123456Z" in one
    assert "signals/v1/trade/+/+" in subscriptions
    assert details.split(", ") == [
        "    plugin 0.1",
        "last heartbeat 2026-11-22T10:14:59.000000Z",
        "forgets at a restart",
        "clock +45.0 s",
        "3 signals without a receipt",
        "last receipt 2026-11-22T10:15:00.000000Z",
    ]
    assert "WRONG: its clock is 45.0 s ahead of the gateway's" in wrong
    assert "online" in two
    assert "no login" in two


@pytest.mark.parametrize(
    ("state", "words"),
    [
        ({"state": "dead", "state_since": "T"}, "dead since T"),
        ({"state": "unknown", "online": True}, "online by its card, silent"),
        ({"state": "unknown", "online": False, "absent_since": "T"}, "absent since T"),
    ],
)
def test_bots_list_says_how_a_bot_is_that_is_not_heard(
    call: Call, gateway: Gateway, state: dict[str, Any], words: str
) -> None:
    call("init")
    gateway.answers["/api/v1/bots"] = (200, {"bots": [BOT | state]})
    assert f"one                      {words}" in call("bots", "list").out


@pytest.mark.parametrize(
    ("state", "told"),
    [
        ({"online": True, "subscriptions": []}, True),
        ({"online": True}, False),
        ({"online": False, "subscriptions": []}, False),
        ({"online": True, "subscriptions": [], "plugin": None}, False),
    ],
)
def test_bots_list_says_that_a_bot_that_is_online_asks_for_nothing(
    call: Call, gateway: Gateway, *, state: dict[str, Any], told: bool
) -> None:
    call("init")
    gateway.answers["/api/v1/bots"] = (200, {"bots": [BOT | state]})
    assert ("asks for no signals now" in call("bots", "list").out) is told


LINE = {"received_at": "2026-11-22T10:15:02.000000Z", "at": None, "level": "INFO", "logger": "a.b", "text": "one"}

EVENT = {"amount": 1, "id": "x" * 500, "why": "a\n" + "word " * 99, "fee": {"flat": [1]}}


def test_bots_show_tells_how_a_bot_is_and_what_it_told_lately(call: Call, gateway: Gateway) -> None:
    call("init")
    told = {
        "events": [{"received_at": "T1", "at": None, "type": "OrderFilled", "data": EVENT}],
        "notifications": [{"received_at": "T2", "at": None, "text": "\nWinding\ndown\x1b[2J"}],
        "performance": {"received_at": "T3", "controllers": {"pmm": {"performance": {"pnl": 1.5}}}},
    }
    gateway.answers["/api/v1/bots/one"] = (200, BOT | told)
    shown = call("bots", "show", "one")

    assert call("bots", "show", "one", "--json").json == BOT | told
    assert "left since" in shown.out
    assert f"T1  OrderFilled  amount=1 id={'x' * 60}… why=a{' word' * 11}… fee.flat=[1]\n" in shown.out
    assert "T2  told its owner: Winding\n        down\\x1b[2J" in shown.out
    assert "T3  pmm: performance.pnl=1.5\n" in shown.out
    assert max(map(len, shown.out.splitlines())) < 250


def test_bots_show_counts_what_has_no_room(call: Call, gateway: Gateway) -> None:
    call("init")
    event = {"received_at": "T1", "at": None, "type": "Odd", "data": {f"name{n:02}": "0123456789" for n in range(50)}}
    gateway.answers["/api/v1/bots/one"] = (200, BOT | {"events": [event], "notifications": [], "performance": None})

    assert "name07=0123456789 and 42 more (--json shows all)" in call("bots", "show", "one").out


def test_bots_logs_shows_the_latest_lines_and_no_text_of_a_bot_looks_like_a_line_of_its_own(
    call: Call, gateway: Gateway
) -> None:
    call("init")
    stamped = LINE | {"at": "2026-11-22T10:15:01.000000Z", "text": "two\n2026 forged"}
    page = {"name": "one", "logs": [LINE, stamped], "next": 7}
    gateway.answers["/api/v1/bots/one/logs"] = (200, page)
    shown = call("bots", "logs", "one", "--limit", "5").out.splitlines()

    assert shown == [
        "2026-11-22T10:15:02.000000Z  INFO      a.b: one",
        "2026-11-22T10:15:01.000000Z  INFO      a.b: two",
        "        2026 forged",
    ]
    assert call("bots", "logs", "one", "--json").json == page
    gateway.answers["/api/v1/bots/one/logs"] = (200, page | {"logs": []})
    assert call("bots", "logs", "one").out == "bot one has logged nothing lately\n"


def test_bots_logs_follows_from_where_the_last_page_ended_until_it_is_interrupted(
    call: Call, gateway: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    call("init")
    pages = [{"logs": [LINE], "next": 7}, {"logs": [], "next": 7}, {"logs": [LINE | {"text": "two"}], "next": 9}]
    asked: list[dict[str, Any]] = []

    def answer(_: object, __: str, ___: str, *, query: dict[str, Any]) -> Any:
        asked.append(query)
        if not pages:
            raise KeyboardInterrupt
        return pages.pop(0)

    monkeypatch.setattr("gateway.cli.bot_show.call_api", answer)
    monkeypatch.setattr("gateway.cli.bot_show._FOLLOW_EVERY", 0)
    followed = call("bots", "logs", "one", "--follow", "--json")

    assert [json.loads(line)["text"] for line in followed.out.splitlines()] == ["one", "two"]
    assert followed.code == 0
    assert [query.get("after") for query in asked] == [None, 7, 7, 9]


@pytest.mark.parametrize(("cleared", "left"), [(True, 0), (False, 1)])
def test_bots_remove_lets_the_running_gateway_forget_the_bot(
    call: Call, gateway: Gateway, *, cleared: bool, left: int
) -> None:
    call("init")
    gateway.answers["/api/v1/bots/demo/forget"] = (200, {"name": "demo", "known": True, "card_cleared": cleared})
    removed = call("bots", "remove", "demo", "--json").json

    assert removed["forgotten"]
    assert len(removed["left"]) == left
    again = call("bots", "remove", "demo")
    assert (again.code, "bot demo had no login" in again.out) == (0, True)


def test_bots_remove_knows_a_bot_neither_by_its_login_nor_by_its_card(call: Call, gateway: Gateway) -> None:
    call("init")
    gateway.answers["/api/v1/bots/nobody/forget"] = (200, {"name": "nobody", "known": False, "card_cleared": True})
    assert call("bots", "remove", "nobody").code == 1


def test_signals_shows_the_life_of_one_station_by_station_without_a_control_character(
    call: Call, gateway: Gateway
) -> None:
    call("init")
    gateway.answers["/api/v1/signals/0193a6c2-1"] = (200, LIFE)
    shown, as_json = call("signals", "0193a6c2-1"), call("signals", "0193a6c2-1", "--json")

    assert "accepted: on disk" in shown.out
    assert r"bot demo, act: failed: \x1b[31mno" in shown.out
    assert "\x1b" not in shown.out + as_json.out
    assert as_json.json == LIFE


@pytest.mark.parametrize(
    ("stage", "ids", "shown"),
    [
        ("handled", ["17"], "bot demo, act: handled (order 17)"),
        ("filled", ["17", "18"], "bot demo, act: filled (orders 17, 18): 0.5 at 100"),
        ("filled", list("abcdefg"), "bot demo, act: filled (orders a, b, c, d, e and 2 more): 0.5 at 100"),
    ],
)
def test_the_orders_that_followed_are_named(stage: str, ids: list[str], shown: str) -> None:
    """Whoever looks for what happened at the exchange has its ids, and how it was filled."""
    reason = "0.5 at 100" if stage == "filled" else None
    said = {"bot": "demo", "handler": "act", "stage": stage, "at": "2026-11-22T10:15:01.3Z"}
    life = LIFE | {"receipts": [said | {"order_ids": ids, "reason": reason}]}

    assert any(line.endswith(shown) for line in life_lines(life))


def test_the_stations_are_in_the_order_of_their_times_with_the_milliseconds_between() -> None:
    words = [line.split() for line in life_lines(LIFE)[3:]]

    assert [(line[0], line[1] if line[1].startswith("+") else "") for line in words] == [
        ("10:15:00.000000", ""),
        ("10:15:01.123456", "+1123.5"),
        ("10:15:01.126000", "+2.5"),
        ("10:15:01.130000", "+4.0"),
        ("10:15:01.200000", "+70.0"),
        ("10:15:01.210000", "+10.0"),
    ]


def test_an_unknown_id_ends_with_1_and_a_refused_token_with_3(call: Call, gateway: Gateway) -> None:
    call("init")
    gateway.answers["/api/v1/signals/other"] = (401, {"title": "No valid secret was shown"})

    assert call("signals", "nobody").code == 1
    assert call("signals", "other").code == 3


def test_refused_requests_are_listed_with_their_first_fault(call: Call, gateway: Gateway) -> None:
    call("init")
    errors = [{"where": "price", "problem": "is not a number"}]
    row = {"id": "r1", "source": "tradingview", "at": "2026-11-22T10:15:01Z", "code": "invalid", "errors": errors}
    gateway.answers["/api/v1/refusals"] = (200, {"refusals": [row]})

    assert "invalid  price: is not a number  r1" in call("signals", "--refused").out


def test_send_posts_the_bytes_as_tradingview_would_with_a_token_for_once(
    call: Call, gateway: Gateway, tmp_path: Path
) -> None:
    call("init")
    gateway.answers["/api/v1/sources/tradingview/tokens"] = (201, {"token": "sg_once"})
    gateway.answers["/hooks/tradingview/sg_once"] = (202, {"id": "0193", "status": "accepted"})
    body = tmp_path / "alert.txt"
    body.write_bytes(b'{"a": NaN}')
    sent = call("send", "tradingview", str(body))

    assert (sent.code, sent.out) == (0, "202 accepted 0193\n"), sent.err
    minting, posting = gateway.asked
    assert minting[0] == "POST"
    assert posting[3] == b'{"a": NaN}'
    assert posting[2]["User-Agent"] == "Go-http-client/1.1"
    assert posting[2]["Content-Type"] == "text/plain; charset=utf-8"


def test_send_shows_each_signal_of_an_array(call: Call, gateway: Gateway, tmp_path: Path) -> None:
    call("init")
    gateway.answers["/api/v1/sources/tradingview/tokens"] = (201, {"token": "sg_once"})
    entries = [{"id": "1", "status": "accepted"}, {"id": "2", "status": "duplicate"}]
    gateway.answers["/hooks/tradingview/sg_once"] = (202, entries)
    body = tmp_path / "alert.json"
    body.write_text("[{}, {}]")

    assert call("send", "tradingview", str(body)).out == "202 accepted 1\n202 duplicate 2\n"
    assert call("send", "tradingview", str(body), "--json").json == {"status": 202, "signals": entries}


def test_a_refused_body_ends_with_1_and_its_place(call: Call, gateway: Gateway, tmp_path: Path) -> None:
    call("init")
    gateway.answers["/api/v1/sources/tradingview/tokens"] = (201, {"token": "sg_once"})
    fault = {"where": "price", "problem": "is not a number", "found": "NaN", "line": 1, "column": 7}
    problem = {"title": "The body is wrong", "code": "invalid", "errors": [fault]}
    gateway.answers["/hooks/tradingview/sg_once"] = (422, problem)
    body = tmp_path / "alert.json"
    body.write_text('{"p": NaN}')
    sent = call("send", "tradingview", str(body))

    assert sent.code == 1
    line, caret = sent.err.splitlines()[-2:]
    assert line[caret.index("^") :] == "NaN}"
    assert "sg_once" not in sent.out + sent.err


@pytest.mark.parametrize(
    ("body", "kind"),
    [(b'{"a": 1}', "application/json"), (b"1", "application/json"), (b"buy", "text/plain"), (b"\xff", "text/plain")],
)
def test_the_content_type_is_json_for_valid_json_only(body: bytes, kind: str) -> None:
    assert content_type(body).startswith(kind)


def test_a_signal_is_one_line_with_its_age() -> None:
    accepted = instant("2026-11-22T10:15:01.123456Z")
    data = {
        "action": "buy",
        "effect": "open",
        "order": {"quantity": {"value": "0.5", "unit": "base"}, "price": "64000"},
    }
    trade = Envelope(
        id="1", source="/sources/tv", type=TRADE, time=accepted, data=data, subject="BTC-USDT", mode=Mode.PAPER
    )
    alert = Envelope(id="1", source="/sources/tv", type="signal.alert.v1", time=accepted, data={"message": "hi"})
    now = accepted + timedelta(milliseconds=12)

    assert signal_line(trade, now=now) == (
        "10:15:01.123  tv  buy (open)  BTC-USDT  0.5 base  at 64000  age 12 ms  [paper]"
    )
    assert signal_line(alert, now=now) == "10:15:01.123  tv  alert  -  hi  age 12 ms"


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        ({"probabilities": {"short": 0.1, "neutral": 0.2, "long": 0.7000000001}}, "short 0.1, neutral 0.2, long 0.7"),
        ({"value": {"name": "return", "value": "0.0042"}}, "return 0.0042"),
        ({"quantiles": {"0.05": -0.01, "0.95": 2}}, "-0.01 at 0.05, 2 at 0.95"),
    ],
)
def test_a_prediction_is_shown_with_what_it_says(said: dict[str, Any], shown: str) -> None:
    """Whoever listens, or looks for a prediction later, sees which model said what, and until when it was true."""
    accepted = instant("2026-11-22T10:15:01.123456Z")
    data = {"model": {"name": "btc-lstm"}, **said}
    envelope = Envelope(id="1", source="/sources/m", type="signal.prediction.v1", time=accepted, data=data)
    life = LIFE | {"body": "prediction", "envelope": {"data": data}, "expires_at": "2026-11-22T11:15:00.000000Z"}

    assert signal_line(envelope, now=accepted) == f"10:15:01.123  m  prediction  -  btc-lstm: {shown}  age 0 ms"
    assert f"  btc-lstm: {shown}; true until 2026-11-22T11:15:00.000000Z" in life_lines(life)


def test_the_life_of_a_trade_names_the_prediction_that_it_was_made_of() -> None:
    assert "  made of 0193a6c2-9" in life_lines(LIFE | {"envelope": {"data": {}, "causationid": "0193a6c2-9"}})
