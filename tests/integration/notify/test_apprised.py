"""Through apprise to a real receiver: what was accepted, what was not and why, and no secret in what is said of it."""

from __future__ import annotations

import logging
import threading
import time

import pytest

from gateway.notify.channel import Channel, open_channel
from gateway.notify.notification import Level, Notification
from gateway.notify.settings import Target
from gateway.notify.trial import try_out
from tests.brokers import free_port
from tests.receiver import Receiver

SECRET = "hunter2hunter2"
NOTIFICATION = Notification(title="signal-gateway: refused", body="a <b> & *c*\nline two", level=Level.WARNING)


def test_a_notification_arrives_as_it_was_written(receiver: Receiver) -> None:
    assert open_channel(receiver.url).send(NOTIFICATION) is None

    (arrived,) = receiver.received
    assert (arrived["title"], arrived["message"], arrived["type"]) == (
        NOTIFICATION.title,
        NOTIFICATION.body,
        "warning",
    )


@pytest.mark.parametrize(
    ("status", "problem"), [(401, "it answered 401 Unauthorized"), (500, "it answered 500 Internal Server Error")]
)
def test_what_a_receiver_refuses_is_told_with_its_status(receiver: Receiver, status: int, problem: str) -> None:
    receiver.status = status

    assert open_channel(receiver.url).send(NOTIFICATION) == problem


def test_a_receiver_that_is_not_there_is_told_to_be_away() -> None:
    channel = open_channel(f"json://127.0.0.1:{free_port()}/")

    assert channel.send(NOTIFICATION) == "it cannot be reached, or did not answer in time"


def test_a_receiver_that_never_answers_is_given_up_in_time(receiver: Receiver) -> None:
    receiver.hangs = True
    began = time.monotonic()

    assert open_channel(f"{receiver.url}?rto=0.3").send(NOTIFICATION) == (
        "it cannot be reached, or did not answer in time"
    )
    assert time.monotonic() - began < 3


@pytest.mark.parametrize("url", ["", "nonsense", "bogus://x", "tgram://short", f"tgram://{SECRET}", "json://"])
def test_a_url_that_apprise_cannot_use_is_refused_without_being_repeated(
    url: str, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    with caplog.at_level(logging.DEBUG), pytest.raises(ValueError, match="is no URL that apprise can use") as refused:
        open_channel(url)

    assert SECRET not in str(refused.value) + caplog.text + "".join(capfd.readouterr())


@pytest.mark.parametrize("status", [200, 401, None])
def test_no_library_logs_the_url_whatever_happens_and_however_much_is_logged(
    receiver: Receiver, status: int | None, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    receiver.status, receiver.hangs = status or 200, status is None
    url = f"json://user:{SECRET}@127.0.0.1:{receiver.port}/{SECRET}/?-x={SECRET}&rto=0.2"
    with caplog.at_level(logging.DEBUG):
        logging.getLogger().debug("as much as can be")
        problem = open_channel(url).send(NOTIFICATION)

    assert receiver.received[0]["path"].startswith(f"/{SECRET}/")
    assert "as much as can be" in caplog.text
    assert SECRET not in f"{problem}{caplog.text}{capfd.readouterr()}"


def test_a_trial_says_target_by_target_what_became_of_it(receiver: Receiver) -> None:
    targets = [
        Target(number=1, url=receiver.url),
        Target(number=2, url=f"json://127.0.0.1:{free_port()}/"),
        Target(number=3, url=receiver.url),
    ]

    assert try_out(targets) == [None, "it cannot be reached, or did not answer in time", None]
    assert [one["title"] for one in receiver.received] == ["signal-gateway: test"] * 2


def test_a_trial_waits_for_no_target_longer_than_its_patience() -> None:
    held = threading.Event()

    class Hanging:
        def send(self, _: Notification) -> str | None:
            held.wait()
            return None

    def channel(_: str) -> Channel:
        return Hanging()

    try:
        answers = try_out([Target(number=1, url="json://a")], patience=0.1, channel=channel)
        assert answers == ["it did not answer within 0.1 s"]
    finally:
        held.set()
