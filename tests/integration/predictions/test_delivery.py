"""A prediction's way to the gateway: what the client makes of each answer, and of none."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from bot_plugin.predictions import Fault, NotAccepted, Outcome, Prediction, PredictionClient, Result
from tests.integration.predictions.conftest import Settings
from tests.integration.predictions.stand_in import (
    KEY,
    NDJSON,
    Answer,
    StandInGateway,
    answer,
    cuts_after,
    hangs,
    says,
    sends,
    waits,
)

LATER = datetime(2099, 1, 1, tzinfo=UTC)
LONG: Prediction = {"pair": "BTC-USDT", "probabilities": {"short": 0.1, "neutral": 0.2, "long": 0.7}, "horizon": "1h"}


@pytest.fixture
def client(settings: Settings) -> Iterator[PredictionClient]:
    with PredictionClient(settings()) as client:
        yield client


def many(count: int) -> Iterator[Prediction]:
    for number in range(count):
        yield {**LONG, "idempotency_key": f"k{number}", "valid_until": LATER}


def test_a_prediction_is_accepted_under_an_id(client: PredictionClient, gateway: StandInGateway) -> None:
    """What is sent is the wire's, with the key in the header and the source in the path."""
    result = client.send(pair="BTC-USDT", probabilities={"short": 0.1, "neutral": 0.2, "long": 0.7}, horizon="1h")

    (request,) = gateway.requests
    assert result.ok
    assert (result.outcome, result.id, result.attempts) == (Outcome.ACCEPTED, "id-0", 1)
    assert result.checked() is result
    assert request.target == "/v1/predictions/btc"
    assert request.headers["authorization"] == f"Bearer {KEY}"
    assert request.headers["content-type"] == "application/x-ndjson"
    assert request.headers["host"] == f"127.0.0.1:{gateway.port}"
    assert request.keys == [result.idempotency_key]
    assert request.lines[0]["model"] == {"name": "m1"}


def test_the_same_key_again_is_a_duplicate_with_the_first_id(client: PredictionClient) -> None:
    """The caller's own key makes sending again harmless."""
    first = client.send(**LONG, idempotency_key="2026-11-26T10:00", valid_until=LATER)
    again = client.send(**LONG, idempotency_key="2026-11-26T10:00", valid_until=LATER)

    assert (again.outcome, again.id, again.ok) == (Outcome.DUPLICATE, first.id, True)


def test_a_refused_prediction_says_what_is_wrong_and_is_not_sent_again(
    client: PredictionClient, gateway: StandInGateway
) -> None:
    """The faults are the gateway's, each at its place."""

    def refuse(to: Answer) -> None:
        to.send(NDJSON)
        error = {"where": "probabilities", "problem": "sum to 2", "found": "2", "cause": "Scale them."}
        to.line({"line": 1, "status": "refused", "code": "invalid", "errors": [error]})
        to.end()

    gateway.script.append(refuse)
    result = client.send(**LONG)

    assert result.outcome is Outcome.REFUSED
    assert result.faults == (Fault(where="probabilities", problem="sum to 2", found="2", cause="Scale them."),)
    assert result.reason == "probabilities: sum to 2 (found '2'). Scale them."
    assert len(gateway.requests) == 1
    with pytest.raises(NotAccepted, match="refused, probabilities: sum to 2") as raised:
        result.checked()
    assert raised.value.result is result


@pytest.mark.parametrize("status", [408, 409, 429, 500, 502, 503, 504])
def test_what_another_try_may_mend_is_sent_again_with_the_same_key(
    status: int, client: PredictionClient, gateway: StandInGateway
) -> None:
    """Nobody but the client needs to know that it took three tries."""
    gateway.script.extend([says(status), says(status, kind="text/html", body="<p>sorry")])
    result = client.send(**LONG)

    assert (result.outcome, result.attempts) == (Outcome.ACCEPTED, 3)
    assert [request.keys for request in gateway.requests] == [[result.idempotency_key]] * 3


@pytest.mark.parametrize("status", [301, 307, 400, 401, 403, 404, 405, 413, 415, 422])
def test_what_no_other_try_mends_is_refused_at_once(
    status: int, client: PredictionClient, gateway: StandInGateway
) -> None:
    """The reason names the answer; a redirect is not followed, as it would take the key elsewhere."""
    gateway.script.append(says(status, "Location: /elsewhere", body='{"title": "No", "detail": "Because."}'))
    result = client.send(**LONG)

    assert result.outcome is Outcome.REFUSED
    assert result.reason.startswith(f"the answer was {status}")
    assert status == 401 or "(No: Because.)" in result.reason
    assert len(gateway.requests) == 1


def test_a_connection_cut_within_the_answer_costs_nothing_and_doubles_nothing(
    client: PredictionClient, gateway: StandInGateway
) -> None:
    """What was answered is not sent again; the rest is, in order, and what was stored unseen is a duplicate."""
    gateway.script.extend([cuts_after(1), cuts_after(3, stored=5)])
    results = list(client.send_all(many(40)))

    assert [result.idempotency_key for result in results] == [f"k{number}" for number in range(40)]
    assert [result.outcome for result in results].count(Outcome.DUPLICATE) <= 2
    assert all(result.ok for result in results)
    assert list(gateway.stored) == [f"k{number}" for number in range(40)]
    answered = 0
    for request, more in zip(gateway.requests, (1, 3), strict=False):
        assert request.keys[0] == f"k{answered}"
        answered += min(more, len(request.keys))


def test_a_gateway_that_stops_in_the_middle_says_so_and_the_rest_goes_again(
    client: PredictionClient, gateway: StandInGateway
) -> None:
    """Its last line says that nothing more was stored."""

    def stop(to: Answer) -> None:
        to.send(NDJSON)
        to.lines(0, len(to.request.keys) // 2)
        to.end({"done": False, "status": 503, "code": "not_stored", "detail": "The gateway is stopping."})

    gateway.script.extend([stop, stop, stop])

    assert {result.outcome for result in client.send_all(many(30))} == {Outcome.ACCEPTED}


def test_a_gateway_that_is_not_there_yet_is_waited_for(gateway: StandInGateway, settings: Settings) -> None:
    """The client need not be started after the gateway."""
    gateway.script.append(sends(b""))
    with PredictionClient(settings()) as client:
        assert client.send(**LONG).attempts == 2


def test_a_retry_after_is_waited_for(client: PredictionClient, gateway: StandInGateway) -> None:
    """The gateway says when, in seconds."""
    gateway.script.append(says(503, "Retry-After: 1"))
    begun = time.monotonic()

    assert client.send(**LONG).ok
    assert time.monotonic() - begun >= 1


def test_nothing_is_sent_after_it_ran_out(client: PredictionClient, gateway: StandInGateway) -> None:
    """The gateway stores nothing for longer than the prediction is true; the reason names both."""
    gateway.script.extend([says(503, body='{"title": "Not stored"}')] * 1000)
    valid_until = datetime.now(UTC) + timedelta(seconds=0.3)
    result = client.send(**LONG, valid_until=valid_until)
    seen = len(gateway.requests)
    gateway.script.clear()

    assert result.outcome is Outcome.UNSENT
    assert result.attempts == seen > 1
    assert result.reason.startswith("it ran out at ")
    assert client.send(**LONG).ok
    assert len(gateway.requests) == seen + 1


def test_what_runs_out_while_the_gateway_is_waited_for_is_told_then(
    client: PredictionClient, gateway: StandInGateway
) -> None:
    """And not when the gateway's pause is over."""
    gateway.script.append(says(503, "Retry-After: 300", body="{}"))
    begun = time.monotonic()
    result = client.send(**LONG, valid_until=datetime.now(UTC) + timedelta(seconds=0.3))

    assert (result.outcome, result.attempts) == (Outcome.UNSENT, 1)
    assert 0.2 < time.monotonic() - begun < 5


def test_what_ran_out_while_the_machine_slept_is_not_sent(gateway: StandInGateway, settings: Settings) -> None:
    """The clock of the wall counts, and not how long the process was awake."""
    asleep = timedelta()

    def sleep(to: Answer) -> None:
        nonlocal asleep
        says(503, body="{}")(to)
        asleep = timedelta(hours=2)

    gateway.script.append(sleep)
    with PredictionClient(settings(), now=lambda: datetime.now(UTC) + asleep) as client:
        result = client.send(**LONG)

    assert (result.outcome, len(gateway.requests)) == (Outcome.UNSENT, 1)
    assert result.reason.startswith("it ran out at ")


def test_an_answer_that_comes_after_it_ran_out_is_still_its_answer(
    client: PredictionClient, gateway: StandInGateway
) -> None:
    """It was sent in time."""

    def late(to: Answer) -> None:
        to.gateway.released.wait(0.4)
        answer(to)

    gateway.script.append(late)

    assert client.send(**LONG, valid_until=datetime.now(UTC) + timedelta(seconds=0.2)).outcome is Outcome.ACCEPTED


def test_what_ran_out_before_it_was_handed_in_is_not_sent_at_all(
    client: PredictionClient, gateway: StandInGateway
) -> None:
    """As after a laptop's sleep."""
    result = client.send(**LONG, valid_until=datetime.now(UTC) - timedelta(seconds=1))

    assert (result.outcome, result.attempts, gateway.requests) == (Outcome.UNSENT, 0, [])


def test_no_answer_is_unknown_and_never_a_failure(client: PredictionClient, gateway: StandInGateway) -> None:
    """It was sent: it may be there."""
    gateway.script.append(hangs)
    result = client.send(**LONG, within=0.2)

    assert (result.outcome, result.attempts) == (Outcome.UNKNOWN, 1)
    assert result.reason.startswith("0.2 s are over")


def test_an_answer_lost_once_leaves_it_unknown_though_later_tries_were_turned_away(
    client: PredictionClient, gateway: StandInGateway
) -> None:
    """The first request may have stored it, whatever became of the second."""
    gateway.script.extend([cuts_after(0, stored=1), *[says(503, body="{}")] * 1000])
    result = client.send(**LONG, within=0.3)

    assert result.outcome is Outcome.UNKNOWN


def test_a_gateway_that_cannot_be_reached_leaves_it_unsent(settings: Settings) -> None:
    """Nobody can have it, and the reason says which address was tried."""
    with PredictionClient(settings(url="http://127.0.0.1:1")) as client:
        result = client.send(**LONG, within=0.2)

    assert (result.outcome, result.attempts) == (Outcome.UNSENT, 0)
    assert "http://127.0.0.1:1 cannot be reached: " in result.reason


def takes_less(to: Answer) -> None:
    """As a proxy before the gateway that takes 2,000 bytes, for every request from now on."""
    to.gateway.script.append(takes_less)
    if len(to.request.body) > 2_000:
        says(413)(to)
    else:
        answer(to)


def test_a_request_that_is_too_large_is_sent_in_smaller_ones(client: PredictionClient, gateway: StandInGateway) -> None:
    """A proxy before the gateway may take less than the gateway; what it takes is found once."""
    gateway.script.append(takes_less)

    assert {result.outcome for result in client.send_all(many(200))} == {Outcome.ACCEPTED}
    assert list(gateway.stored) == [f"k{number}" for number in range(200)]
    assert sum(len(request.body) > 2_000 for request in gateway.requests) < 10
    assert sum(len(request.keys) > 1 for request in gateway.requests[-20:]) > 10


def test_one_that_is_too_large_alone_is_refused_and_holds_up_nobody(
    client: PredictionClient, gateway: StandInGateway
) -> None:
    """It is the only one that can be mended."""
    gateway.script.append(takes_less)
    large: Prediction = {**LONG, "features": {f"feature-{number}": 1.5 for number in range(200)}}
    outcomes = [result.outcome for result in client.send_all([*many(10), large, *[LONG] * 10])]

    assert outcomes == [*[Outcome.ACCEPTED] * 10, Outcome.REFUSED, *[Outcome.ACCEPTED] * 10]


def test_a_connection_is_used_again_and_one_that_was_closed_meanwhile_is_no_trouble(
    client: PredictionClient, gateway: StandInGateway, caplog: pytest.LogCaptureFixture
) -> None:
    """Gateways and proxies close connections that nobody uses."""
    client.send(**LONG)
    client.send(**LONG)
    assert gateway.connections == 1
    gateway.hang_up()

    assert client.send(**LONG).ok
    assert gateway.connections == 2
    assert caplog.messages == []


def test_a_connection_that_ends_under_a_request_is_no_reason_to_pause(
    gateway: StandInGateway, settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    """A gateway may close an idle connection at the very moment at which a request goes out on it."""
    gateway.script.extend([answer, sends(b"")])
    with PredictionClient(settings(backoff=(1_000.0, 1_000.0))) as client:
        assert (client.send(**LONG).attempts, client.send(**LONG).attempts) == (1, 2)

    assert caplog.messages == []


def test_pauses_grow_only_while_nothing_comes_through(gateway: StandInGateway, settings: Settings) -> None:
    """A connection that is cut again and again, each time a little further, is no outage."""
    gateway.script.append(waits)
    gateway.script.extend([cuts_after(1)] * 20)
    with PredictionClient(settings(backoff=(0.001, 1_000.0))) as client:
        pending = [client.submit(**LONG) for _ in range(22)]
        gateway.released.set()
        assert all(result.result(10).ok for result in pending)

    assert len(gateway.requests) > 15


def test_an_outage_is_said_once_and_its_end_too(
    client: PredictionClient, gateway: StandInGateway, caplog: pytest.LogCaptureFixture
) -> None:
    """However many tries it takes."""
    gateway.script.extend([says(503)] * 5)
    with caplog.at_level("INFO"):
        client.send(**LONG)
        assert client.flush(within=5)
        client.send(**LONG)

    assert caplog.messages == ["predictions wait: the answer was 503", "predictions go out again"]


GARBAGE = [
    b"SSH-2.0-OpenSSH_9.2\r\n",
    b"HTTP/1.1 2\xb20 OK\r\n\r\n",
    b"HTTP/1.1 200 OK\r\n" + b"".join(b"X-%d: y\r\n" % number for number in range(200)) + b"\r\n",
    b"HTTP/1.1 200 OK\r\nX: " + b"y" * 100_000,
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n-1\r\n",
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffff\r\n",
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nfffffff\r\n" + b"z" * 100_000,
    b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n{}\n",
    b"HTTP/1.1 200 OK\r\nContent-Length: " + b"9" * 5_000 + b"\r\n\r\n{}\n",
    f"HTTP/1.1 503 Words\r\nRetry-After: Mon, 01 Jan {10**20} 00:00:00 GMT\r\nContent-Length: 0\r\n\r\n".encode(),
    b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 6\r\n\r\n<html>",
    b"HTTP/1.1 200 OK\r\n\r\n" + b'{"line": 1, "status": "accepted", "id": "x"' + b" " * 70_000,
    b"HTTP/1.1 200 OK\r\n\r\n" + b"[" * 60_000 + b"\n",
    b"HTTP/1.1 200 OK\r\n\r\n" + b'{"line": 77, "status": "accepted", "id": "x"}\n',
    b"HTTP/1.1 200 OK\r\n\r\n" + b'{"line": 1, "status": "eaten"}\n{"done": true}\n',
    b"HTTP/1.1 100 Continue\r\n\r\n" * 3,
]


@pytest.mark.parametrize("garbage", GARBAGE, ids=lambda garbage: repr(garbage[:50]))
def test_what_is_no_answer_is_tried_again_and_believed_in_nothing(
    garbage: bytes, client: PredictionClient, gateway: StandInGateway
) -> None:
    """Whoever answers at that address, the client neither raises nor takes its word."""
    gateway.script.append(sends(garbage))
    result = client.send(**LONG)

    assert (result.outcome, result.id, result.attempts) == (Outcome.ACCEPTED, "id-0", 2)


@pytest.mark.parametrize(
    ("begin", "more"),
    [(b"HTTP/1.1 200 OK\r\n\r\n", b" " * 60_000), (b"HTTP/1.1 200 OK\r\n", b"X: y\r\n" * 10_000), (b"", b"x" * 60_000)],
    ids=["a line", "headers", "a status"],
)
def test_an_answer_without_an_end_is_not_taken_in(
    begin: bytes, more: bytes, client: PredictionClient, gateway: StandInGateway
) -> None:
    """Whoever answers cannot fill the pipeline's memory."""
    taken = 0

    def flood(to: Answer) -> None:
        nonlocal taken
        to.send(begin)
        while taken < 200_000_000:
            to.send(more)
            taken += len(more)

    gateway.script.append(flood)

    assert client.send(**LONG).ok
    assert taken < 50_000_000


def test_an_answer_without_a_length_ends_with_the_connection(client: PredictionClient, gateway: StandInGateway) -> None:
    """As of a proxy that speaks HTTP/1.0; its lines count, and the connection is not used again."""
    gateway.script.append(sends(b'HTTP/1.0 200 OK\r\n\r\n{"status": "accepted", "id": "old"}\r\n{"done": true}'))

    assert (client.send(**LONG).id, client.send(**LONG).id) == ("old", "id-0")


def test_results_are_read_as_words(client: PredictionClient) -> None:
    """For a log line or a notebook's cell."""
    assert str(client.send(**LONG)) == "accepted id-0"
    assert str(Result(outcome=Outcome.UNSENT, idempotency_key="k", reason="no time")) == "unsent, no time"
