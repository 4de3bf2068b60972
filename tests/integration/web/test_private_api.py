"""The private listener over real sockets: health and metrics for all, the API with a key."""

from __future__ import annotations

import asyncio
import hashlib
import json
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any, cast

import pytest
import structlog
from structlog.testing import LogCapture

from bot_plugin.presence import encode_card
from gateway.bots import Cards, Clocks, Receipts, Registry, Roster
from gateway.bots.calls import Call, Ended, Outcome
from gateway.errors import Misconfigured, NotStored
from gateway.journal import KnownBot, MemoryJournal
from gateway.journal.journal import Journal
from gateway.journal.model import Delivered, Depth, Life, Refusal, Station
from gateway.mqtt import Ack
from gateway.mqtt.filters import Routes
from gateway.roles import Caller, Role
from gateway.telemetry import NullTelemetry, Recorder
from gateway.web import ApiKeys, Inside, Private, PrivateSettings, Status
from gateway.withdrawal import NothingToWithdraw, Withdrawn
from schemas.card import BotCard, Presence
from schemas.errors import Fault
from schemas.fields import from_micros
from schemas.receipt import Receipt, Stage
from schemas.rpc import Reply
from schemas.telemetry import (
    Heartbeat,
    InternalEvent,
    LogLine,
    Notification,
    Performance,
    StatusUpdate,
    Telemetry,
    write,
)
from schemas.topics import Topics
from tests.integration.web.conftest import Serve, Served, eventually

NOW = 1_795_352_101_123_456
KEY = {"Authorization": "Bearer s3cret"}
CLIENTS = (
    *(Caller(name=role.value, role=role) for role in Role),
    Caller(name="limited", role=Role.OPERATOR, bots=("one", "two")),
)
"""Their keys are their names."""
KEYS = ApiKeys(
    {"cli": hashlib.sha256(b"s3cret").digest()},
    clients=lambda: [(caller, hashlib.sha256(caller.name.encode()).digest()) for caller in CLIENTS],
)


def life(id_: str, *, at: int = NOW, source: str = "btc") -> Life:
    when = datetime(2026, 11, 22, 10, 15, 1, 123456, tzinfo=UTC)
    return Life(
        position=1,
        id=id_,
        source=source,
        body="trade",
        mode="live",
        instrument="BTC-USDT",
        effect="open",
        accepted_at=at,
        expires_at=at + 60_000_000,
        envelope=b'{"specversion":"1.0","data":{"action":"buy","message":"\\ud800"}}',
        deliveries=(
            Delivered(
                destination="signals",
                topic="signals/v1/x",
                station=Station.DENIED,
                at=at,
                reason="not authorised",
                attempts=2,
            ),
        ),
        receipts=((at + 5, Receipt(signal=id_, bot="demo", stage=Stage.HANDLED, at=when, handler="act")),),
    )


@dataclass
class Shelf:
    """A journal of what the test puts on it."""

    signals: list[Life] = field(default_factory=list)
    refused: list[Refusal] = field(default_factory=list)
    error: Exception | None = None

    async def life(self, id_: str) -> Life | None:
        if self.error is not None:
            raise self.error
        return next((life for life in self.signals if life.id == id_), None)

    async def lives(self, *, source: str | None, before: int | None, limit: int) -> list[Life]:
        found = [x for x in self.signals if source in {None, x.source} and (before is None or x.accepted_at < before)]
        return found[:limit]

    async def refusals(self, *, source: str | None, before: int | None, limit: int) -> list[Refusal]:
        found = [x for x in self.refused if source in {None, x.source} and (before is None or x.at < before)]
        return found[:limit]

    def depth(self) -> Depth:
        return Depth(waiting=3, oldest=NOW, awaiting=2)


class Link:
    """A broker that acknowledges whatever it gets."""

    free = 1

    def __init__(self) -> None:
        self.published: list[tuple[str, bytes, bool]] = []
        self.reason = 0
        self.routes: Routes[Any] = Routes()

    async def subscribe(self, topic_filter: str, handler: Any, **_: Any) -> None:
        self.routes.add(topic_filter, handler)

    def publish(self, topic: str, payload: bytes, *, retain: bool) -> asyncio.Future[Ack]:
        self.published.append((topic, payload, retain))
        done: asyncio.Future[Ack] = asyncio.get_running_loop().create_future()
        done.set_result(Ack(self.reason))
        return done


class Roll:
    """A roster, and what is around it."""

    def __init__(self) -> None:
        self.journal, self.link, self.expected = MemoryJournal(), Link(), set[str]()
        self.logins: dict[str, tuple[str, ...]] = {}
        self.ended: list[str] = []
        silent, topics = NullTelemetry(), Topics()
        self.clocks = Clocks(telemetry=silent, clock=lambda: NOW, timer=lambda: 0.0)
        self.cards = Cards(
            self.journal,
            topics=topics,
            telemetry=silent,
            on_change=self._learn,
            look=self.clocks.card,
            clock=lambda: NOW,
            every=0,
        )
        self.registry = Registry(
            topics=topics,
            telemetry=silent,
            clocks=self.clocks,
            came=lambda _: None,
            clock=lambda: NOW,
            timer=lambda: 0.0,
        )
        receipts = Receipts(
            self.journal,
            cast("Any", self.link),
            topics=topics,
            instance="gateway",
            received=lambda *_: None,
            clocks=self.clocks,
            telemetry=silent,
            clock=lambda: NOW,
        )
        self.roster = Roster(
            cast("Any", self.link),
            topics=topics,
            cards=self.cards,
            clocks=self.clocks,
            receipts=receipts,
            logins=lambda: self.logins,
            unreceived=len,
            end=self._end,
            registry=self.registry,
            stock=("stock",),
        )

    def _learn(self, bots: Any, _: object) -> None:
        self.expected = {bot.name for bot in bots}

    async def _end(self, bot: str) -> None:
        self.ended.append(bot)

    async def tell(self, bot: str, *told: Telemetry) -> None:
        """Let a bot tell something of itself."""
        if not self.link.routes.of("hbot/any/hb"):
            await self.registry.listen(cast("Any", self.link))
            self.registry.connected()
        channels = {Heartbeat: "hb", StatusUpdate: "status_updates", InternalEvent: "events", LogLine: "log"}
        channels |= {Notification: "notify", Performance: "performance"}
        for one in told:
            topic = f"hbot/{bot}/{channels[type(one)]}"
            for handler in self.link.routes.of(topic):
                handler(topic, write(one))

    async def show(self, bot: str, *, ahead: int = 0, presence: Presence = Presence.ONLINE) -> None:
        """Let a bot show its card, by a clock that is so many seconds ahead."""
        when = from_micros(NOW + ahead * 1_000_000)
        card = BotCard(
            bot=bot,
            presence=presence,
            instance="i",
            clock=when,
            plugin="1.0",
            subscriptions=("signals/v1/trade/+/+",),
            durable=True,
        )
        await self.cards.take(f"signals/v1/bot/{bot}", encode_card(card, now=NOW + ahead * 1_000_000))
        await eventually(lambda: not self.cards._pausing)


@dataclass
class Bench:
    web: Served
    shelf: Shelf
    lines: LogCapture
    status: Status
    roster: Roll
    withdrawn: dict[str, Withdrawn | Exception] = field(default_factory=dict)
    calls: list[Call] = field(default_factory=list)
    ended: Ended | Exception = field(default_factory=lambda: Ended(outcome=Outcome.DONE, reply=Reply(status=200)))

    async def withdraw(self, id_: str, *, reason: str) -> Withdrawn:
        self.reason = reason
        result = self.withdrawn.get(id_, LookupError(id_))
        if isinstance(result, Exception):
            raise result
        return result

    async def command(self, call: Call) -> Ended:
        self.calls.append(call)
        if isinstance(self.ended, Exception):
            raise self.ended
        return self.ended

    async def get(self, path: str, *, status: int = 200, **headers: str) -> Any:
        async with self.web.client.get(self.web.url + path, headers={**KEY, **headers}) as answer:
            assert answer.status == status, await answer.text()
            assert answer.content_type == ("application/json" if status == 200 else "application/problem+json")
            return await answer.json(content_type=None)


@pytest.fixture
async def bench(serve: Serve) -> Bench:
    lines = LogCapture()
    log = structlog.wrap_logger(None, processors=[lines])
    telemetry = Recorder(sources=["btc"], version="1.2.3", now=lambda: NOW, log=log)
    status = Status(
        version="1.2.3", since=NOW, unready=None, broker_connected=False, broker_error="refused", sources=("btc",)
    )
    made = Bench(web=cast("Served", None), shelf=Shelf(), lines=lines, status=status, roster=Roll())

    def mint(source: str) -> tuple[str, int]:
        if source == "broken":
            raise RuntimeError("no disk")
        return {"btc": ("sg_fresh", NOW)}[source]

    inside = Inside(
        journal=cast("Journal", made.shelf),
        status=lambda: made.status,
        exposition=telemetry.exposition,
        mint=mint,
        withdraw=made.withdraw,
        roster=made.roster.roster,
        command=made.command,
    )
    site = Private(inside, settings=PrivateSettings(hosts=("gw.example",)), keys=KEYS, telemetry=telemetry)
    made.web = await serve(site, telemetry=telemetry)
    return made


@pytest.mark.parametrize("path", ["/livez", "/readyz", "/metrics"])
@pytest.mark.parametrize("method", ["GET", "HEAD"])
async def test_health_and_metrics_are_open_by_any_name(bench: Bench, path: str, method: str) -> None:
    async with bench.web.client.request(method, bench.web.url + path, headers={"Host": "10.1.2.3:8081"}) as answer:
        assert answer.status == 200


async def test_a_broker_that_is_away_is_shown_and_does_not_make_it_unready(bench: Bench) -> None:
    assert await bench.get("/readyz") == {"status": "ready", "broker": "away"}
    bench.status = replace(bench.status, broker_connected=True)
    assert await bench.get("/readyz") == {"status": "ready", "broker": "connected"}


async def test_what_cannot_accept_is_unready_with_its_reason_and_alive(bench: Bench) -> None:
    bench.status = replace(bench.status, unready="the disk is full")
    async with bench.web.client.get(f"{bench.web.url}/readyz") as answer:
        assert answer.status == 503
        assert (await answer.json())["reason"] == "the disk is full"
    assert await bench.get("/livez") == {"status": "alive"}


async def test_metrics_come_in_the_format_that_is_asked_for(bench: Bench) -> None:
    openmetrics = {"Accept": "application/openmetrics-text; version=1.0.0"}
    for headers, kind in (({}, "text/plain"), (openmetrics, "application/openmetrics-text")):
        async with bench.web.client.get(f"{bench.web.url}/metrics", headers=headers) as answer:
            assert answer.content_type == kind
            assert "signal_gateway_build_info" in await answer.text()


async def test_the_status_says_how_the_gateway_is(bench: Bench) -> None:
    at = "2026-11-22T10:15:01.123456Z"
    status = await bench.get("/api/v1/status")
    assert status["since"].endswith("Z")
    assert status == {
        "version": "1.2.3",
        "since": status["since"],
        "ready": True,
        "unready": None,
        "broker": {"connected": False, "error": "refused"},
        "outbox": {"waiting": 3, "oldest": status["since"], "awaiting": 2},
        "sources": ["btc"],
    }
    assert len(status["since"]) == len(at)


async def test_a_signal_is_shown_with_its_whole_life(bench: Bench) -> None:
    bench.shelf.signals = [replace(life("s1"), possible_duplicate_of="s0")]
    shown = await bench.get("/api/v1/signals/s1")
    assert (await bench.get("/api/v1/signals")) == {"signals": [shown], "next": None}
    at = shown["accepted_at"]
    assert shown == {
        "id": "s1",
        "source": "btc",
        "body": "trade",
        "mode": "live",
        "instrument": "BTC-USDT",
        "effect": "open",
        "accepted_at": at,
        "expires_at": shown["expires_at"],
        "envelope": {"specversion": "1.0", "data": {"action": "buy", "message": "\ud800"}},
        "deliveries": [
            {
                "destination": "signals",
                "topic": "signals/v1/x",
                "station": "denied",
                "at": at,
                "published_at": None,
                "awaiting": [],
                "reason": "not authorised",
                "attempts": 2,
            }
        ],
        "receipts": [
            {
                "signal": "s1",
                "bot": "demo",
                "stage": "handled",
                "at": "2026-11-22T10:15:01.123456Z",
                "handler": "act",
                "stored_at": shown["receipts"][0]["stored_at"],
            }
        ],
        "possible_duplicate_of": "s0",
    }
    assert datetime.fromisoformat(shown["expires_at"]).timestamp() - datetime.fromisoformat(at).timestamp() == 60


async def test_signals_come_in_pages_of_one_source(bench: Bench) -> None:
    bench.shelf.signals = [life(f"s{n}", at=NOW - n, source="btc" if n % 2 else "eth") for n in range(9)]
    first = await bench.get("/api/v1/signals?source=btc&limit=3")
    assert [signal["id"] for signal in first["signals"]] == ["s1", "s3", "s5"]
    rest = await bench.get(f"/api/v1/signals?source=btc&limit=3&before={first['next']}")
    assert ([signal["id"] for signal in rest["signals"]], rest["next"]) == (["s7"], None)


async def test_refusals_are_shown_with_their_faults(bench: Bench) -> None:
    fault = Fault(where="price", problem="is odd", found="NaN")
    bench.shelf.refused = [Refusal(id="r1", source="btc", at=NOW, code="invalid", faults=(fault,), size=7)]
    shown = await bench.get("/api/v1/refusals")
    assert shown["next"] is None
    assert shown["refusals"][0]["errors"] == [{"where": "price", "problem": "is odd", "found": "NaN", "cause": ""}]
    assert {"id": "r1", "source": "btc", "code": "invalid", "size": 7}.items() <= shown["refusals"][0].items()
    assert (await bench.get("/api/v1/refusals?source=eth"))["refusals"] == []


@pytest.mark.parametrize(
    "query", ["limit=x", "limit=-1", "before=1e9", f"before={'9' * 40}", "source=a/b", "source=%00"]
)
@pytest.mark.parametrize("path", ["signals", "refusals"])
async def test_a_query_that_cannot_be_read_gets_400(bench: Bench, path: str, query: str) -> None:
    await bench.get(f"/api/v1/{path}?{query}", status=400)


@pytest.mark.parametrize(
    "path", ["signals/none", "signals/a%2Fb", "signals/%00", "nothing", "", "signals/a/b", "sources"]
)
async def test_what_is_not_there_gets_404(bench: Bench, path: str) -> None:
    await bench.get(f"/api/v1/{path}", status=404)


@pytest.mark.parametrize(
    "path", ["status", "signals", "signals/s1", "refusals", "nothing", "sources/btc/tokens", "sources/none/tokens"]
)
async def test_without_a_key_the_api_answers_401_everywhere(bench: Bench, path: str) -> None:
    for headers in ({}, {"Authorization": "Bearer wrong"}, {"Authorization": "Basic s3cret"}):
        method = "POST" if "tokens" in path else "GET"
        async with bench.web.client.request(method, f"{bench.web.url}/api/v1/{path}", headers=headers) as answer:
            assert (answer.status, answer.content_type) == (401, "application/problem+json")
    assert not [line for line in bench.lines.entries if line["event"] == "audit"]


@pytest.mark.parametrize("path", ["status", "signals", "sources/btc/tokens"])
@pytest.mark.parametrize("headers", [{"Host": "evil.example"}, {"Origin": "http://evil.example"}])
async def test_another_sites_page_is_refused(bench: Bench, path: str, headers: dict[str, str]) -> None:
    method = "POST" if "tokens" in path else "GET"
    async with bench.web.client.request(method, f"{bench.web.url}/api/v1/{path}", headers={**KEY, **headers}) as answer:
        assert answer.status == 403


@pytest.mark.parametrize("method", ["POST", "DELETE", "PUT"])
async def test_reading_is_done_with_get(bench: Bench, method: str) -> None:
    for path in ("/livez", "/metrics", "/api/v1/status"):
        async with bench.web.client.request(method, bench.web.url + path, headers=KEY) as answer:
            assert answer.status == 405


async def test_answers_of_the_api_are_not_kept_by_a_browser(bench: Bench) -> None:
    async with bench.web.client.get(f"{bench.web.url}/api/v1/status", headers=KEY) as answer:
        assert answer.headers["Cache-Control"] == "no-store"
        assert "Server" not in answer.headers


async def post(bench: Bench, source: str, **more: Any) -> tuple[int, Any]:
    more = {"json": {}, **more}
    headers = {**KEY, **more.pop("headers", {})}
    url = f"{bench.web.url}/api/v1/sources/{source}/tokens"
    async with bench.web.client.post(url, headers=headers, **more) as answer:
        return answer.status, await answer.json(content_type=None)


def audit(bench: Bench) -> list[tuple[str, str, str]]:
    return [(line["who"], line["target"], line["outcome"]) for line in bench.lines.entries if line["event"] == "audit"]


async def test_a_token_is_minted_and_the_audit_says_who_did_it_and_not_the_token(bench: Bench) -> None:
    status, body = await post(bench, "btc")
    assert (status, body["token"]) == (201, "sg_fresh")
    assert body["expires_at"].endswith("Z")
    assert audit(bench) == [("cli", "btc", "done")]
    assert "sg_fresh" not in str(bench.lines.entries)


async def test_a_change_that_fails_is_audited_too(bench: Bench) -> None:
    assert (await post(bench, "none"))[0] == 404
    assert (await post(bench, "btc", json=None, data=b"{}", headers={"Content-Type": "text/plain"}))[0] == 415
    assert (await post(bench, "btc", json=[]))[0] == 400
    assert (await post(bench, "btc", json=None, data=b"{", headers={"Content-Type": "application/json"}))[0] == 400
    big = {"x": "y" * 70_000}
    assert (await post(bench, "btc", json=big))[0] == 413
    assert (await post(bench, "broken"))[0] == 500
    assert [outcome for _, _, outcome in audit(bench)] == ["refused"] * 5 + ["failed"]


@pytest.mark.parametrize(
    ("id_", "status", "answer"),
    [
        ("waits", 200, {"id": "waits", "status": "withdrawn"}),
        ("sent", 202, {"id": "sent", "status": "sent", "withdrawal": "w1"}),
        ("ended", 409, "Nothing is left to stop: it ended as denied."),
        ("nobody", 404, "There is no signal nobody: see signals --refused; or it is forgotten, or never was."),
    ],
)
async def test_a_signal_is_withdrawn_or_the_answer_says_why_not(
    bench: Bench, id_: str, status: int, answer: Any
) -> None:
    ended = NothingToWithdraw("Nothing is left to stop: it ended as denied.")
    bench.withdrawn = {"waits": Withdrawn(), "sent": Withdrawn(message="w1"), "ended": ended}
    url = f"{bench.web.url}/api/v1/signals/{id_}/withdraw"
    async with bench.web.client.post(url, headers=KEY, json={"reason": "fat finger"}) as response:
        assert response.status == status
        document = await response.json(content_type=None)
    assert (document if status < 300 else document["detail"]) == answer
    assert bench.reason == "fat finger"
    audit = next(line for line in bench.lines.entries if line["event"] == "audit")
    assert (audit["what"], audit["target"], audit["outcome"]) == (
        "withdraw",
        id_,
        "done" if status < 300 else "refused",
    )


async def test_tokens_are_not_minted_by_reading(bench: Bench) -> None:
    await bench.get("/api/v1/sources/btc/tokens", status=405)
    assert not audit(bench)


async def test_a_journal_that_cannot_be_read_gets_503(bench: Bench) -> None:
    bench.shelf.error = NotStored("disk", "the disk is gone")
    assert (await bench.get("/api/v1/signals/s1", status=503))["code"] == "not_stored"


@pytest.mark.parametrize("path", ["/", "/hooks/btc/s", "/api", "/api/v2/status", "/LIVEZ"])
async def test_there_is_nothing_else_on_it(bench: Bench, path: str) -> None:
    await bench.get(path, status=404)


async def test_off_loopback_it_does_not_start_without_a_key(bench: Bench) -> None:
    inside = Inside(
        journal=cast("Journal", bench.shelf),
        status=lambda: bench.status,
        exposition=lambda _: (b"", ""),
        mint=lambda _: ("", 0),
        withdraw=bench.withdraw,
        roster=bench.roster.roster,
        command=bench.command,
    )
    with pytest.raises(Misconfigured):
        Private(inside, settings=PrivateSettings(host="0.0.0.0"), keys=ApiKeys({}), telemetry=cast("Any", None))


async def test_every_bot_with_a_login_or_a_card_is_shown_as_it_is(bench: Bench) -> None:
    bench.roster.logins = {"never": ("btc",), "right": ()}
    await bench.roster.show("right")
    await bench.roster.show("wrong", ahead=45)
    await bench.roster.show("wrong", ahead=45, presence=Presence.OFFLINE)
    bots = {bot["name"]: bot for bot in (await bench.get("/api/v1/bots"))["bots"]}

    assert list(bots) == ["never", "right", "stock", "wrong"]
    assert bots["never"] == {
        "name": "never",
        "profile": None,
        "state": "unknown",
        "alive": False,
        "state_since": None,
        "last_seen_at": None,
        "last_seen_by": None,
        "login": True,
        "sources": ["btc"],
        "online": False,
        "absent_since": None,
        "subscriptions": [],
        "durable": None,
        "plugin": None,
        "clock": {"offset_seconds": None, "heartbeat_ahead_seconds": None, "problem": None},
        "unreceived": 5,
        "last_receipt_at": None,
    }
    assert bots["right"]["online"]
    assert bots["right"]["subscriptions"] == ["signals/v1/trade/+/+"]
    assert (bots["right"]["plugin"], bots["right"]["durable"]) == ("1.0", True)
    assert bots["right"]["clock"]["problem"] is None
    assert (bots["right"]["profile"], bots["stock"]["profile"]) == ("plugin", "hummingbot")
    assert not bots["wrong"]["login"]
    assert bots["wrong"]["absent_since"] is not None
    assert "s ahead of the gateway's" in bots["wrong"]["clock"]["problem"]


async def test_a_bot_that_was_only_heard_is_shown_with_what_it_told_lately(bench: Bench) -> None:
    await bench.roster.tell(
        "hummer",
        StatusUpdate(msg="online", at=NOW),
        Heartbeat(at=NOW + 500_000),
        InternalEvent(type="OrderFilled", data={"amount": 0.5}, at=NOW),
        Notification(msg="Winding down..."),
        Performance(controllers={"pmm": {"performance": {"pnl": 1}}}),
        Performance(controllers={"pmm": {"performance": {"pnl": 2}}}),
    )
    one = await bench.get("/api/v1/bots/hummer")
    all_ = {bot["name"]: bot for bot in (await bench.get("/api/v1/bots"))["bots"]}
    now = "2026-11-22T12:55:01.123456Z"

    assert one.items() > all_["hummer"].items()
    assert (one["profile"], one["state"], one["alive"], one["login"]) == ("hummingbot", "alive", True, False)
    assert (one["state_since"], one["last_seen_at"], one["last_seen_by"]) == (now, now, "event")
    assert one["clock"]["heartbeat_ahead_seconds"] == 0.5
    (event,), (notification,) = one["events"], one["notifications"]
    assert (event["type"], event["data"], event["at"]) == (
        "OrderFilled",
        {"amount": 0.5},
        "2026-11-22T12:55:01.000000Z",
    )
    assert (notification["text"], notification["at"]) == ("Winding down...", None)
    assert one["performance"]["controllers"] == {"pmm": {"performance": {"pnl": 2}}}
    assert (await bench.get("/api/v1/bots/stock"))["performance"] is None


async def test_the_log_of_a_bot_is_read_from_its_end_or_on_from_a_place(bench: Bench) -> None:
    path = "/api/v1/bots/hummer/logs"
    lines = [LogLine(msg=f"{number}", logger="a.b", at=NOW) for number in range(150)]
    await bench.roster.tell("hummer", *lines)

    latest = await bench.get(f"{path}?limit=2")
    assert [line["text"] for line in latest["logs"]] == ["148", "149"]
    assert latest["logs"][0].items() >= {"level": "INFO", "logger": "a.b", "at": "2026-11-22T12:55:01.123456Z"}.items()
    assert len((await bench.get(path))["logs"]) == 100

    nothing = await bench.get(f"{path}?after={latest['next']}")
    assert (nothing["logs"], nothing["next"]) == ([], latest["next"])
    await bench.roster.tell("hummer", *(LogLine(msg=f"more {number}") for number in range(3)))
    on = await bench.get(f"{path}?after={latest['next']}&limit=2")
    assert [line["text"] for line in on["logs"]] == ["more 0", "more 1"]
    assert [line["text"] for line in (await bench.get(f"{path}?after={on['next']}"))["logs"]] == ["more 2"]


@pytest.mark.parametrize("path", ["", "/logs"])
async def test_a_bot_that_nobody_knows_is_not_found(bench: Bench, path: str) -> None:
    assert (await bench.get(f"/api/v1/bots/nobody{path}", status=404))["code"] == "unknown_bot"
    assert (await bench.get(f"/api/v1/bots/a%2Fb{path}", status=404))["code"] == "unknown_bot"


@pytest.mark.parametrize("query", ["after=x", "limit=-1", "after=" + "9" * 19])
async def test_a_place_in_the_log_that_is_no_number_is_refused(bench: Bench, query: str) -> None:
    assert (await bench.get(f"/api/v1/bots/stock/logs?{query}", status=400))["code"] == "bad_request"


async def test_a_forgotten_bot_is_expected_no_more_and_its_card_is_cleared(bench: Bench) -> None:
    roll = bench.roster
    await roll.show("gone")
    await roll.show("here")
    await roll.journal.know([KnownBot(name="gone", filters=())])
    assert await forget(bench, "gone") == {"name": "gone", "known": True, "card_cleared": True}
    await eventually(lambda: roll.expected == {"here"})

    assert not await roll.journal.known()
    assert roll.link.published == [("signals/v1/bot/gone", b"", True)]
    assert roll.ended == ["gone"]
    assert [bot["name"] for bot in (await bench.get("/api/v1/bots"))["bots"]] == ["here", "stock"]
    assert audit(bench) == [("cli", "gone", "done")]


async def test_a_bot_that_was_never_known_can_be_forgotten_and_a_bot_with_a_login_keeps_its_connection(
    bench: Bench,
) -> None:
    bench.roster.logins = {"one": ()}
    assert await forget(bench, "one") == {"name": "one", "known": False, "card_cleared": True}
    assert bench.roster.ended == []


async def test_a_card_that_the_broker_does_not_clear_is_said_to_be_left(bench: Bench) -> None:
    bench.roster.link.reason = 0x87
    assert not (await forget(bench, "gone"))["card_cleared"]


async def test_what_cannot_be_a_bots_name_is_not_forgotten(bench: Bench) -> None:
    assert (await forget(bench, "a%2Fb", status=400))["code"] == "bad_request"
    assert audit(bench) == [("cli", "a/b", "refused")]


async def forget(bench: Bench, name: str, *, status: int = 200) -> Any:
    async with bench.web.client.post(f"{bench.web.url}/api/v1/bots/{name}/forget", headers=KEY, json={}) as answer:
        assert answer.status == status, await answer.text()
        return json.loads(await answer.read())


async def test_hostile_bytes_get_a_problem_here_too(bench: Bench) -> None:
    answer = await bench.web.raw(b"GET /api/v1/status HTTP/1.1\r\nHost: localhost\r\nX: \0\r\n\r\n")
    assert answer is not None
    assert (answer.status, json.loads(answer.body)["code"]) == (400, "bad_request")
