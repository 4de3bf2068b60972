"""On real brokers, with clients that ask for whatever they like: everybody hears and says what is theirs."""

from __future__ import annotations

import asyncio
import os
import queue
import threading
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import paho.mqtt.client as paho
import pytest

from gateway.cli.emqx_api import EmqxApi
from gateway.cli.emqx_push import push
from gateway.config.emqx import users_text
from gateway.config.folder import find_folder
from gateway.config.load import load
from gateway.config.logins import BrokerLogins
from gateway.config.mosquitto import acl_lines, password_lines, write_mosquitto
from gateway.config.passwords import hashed
from gateway.mqtt import Permissions
from gateway.mqtt.embedded import EmbeddedBroker, EmbeddedSettings
from tests.brokers import MosquittoFactory
from tests.permission_matrix import ASKED, GATEWAY, PEOPLE, PLACES, heard_by, said_by, settle, settled

ROOT, ROOTS = "root", "whoever-tests-knows-all"
END = "end"
WITHIN = 20.0
REFUSED = {4, 5}
"""MQTT 3.1.1: bad user name or password; not authorised."""


@dataclass(frozen=True, slots=True)
class Stage:
    """A broker where everybody has a login, and somebody else may do everything."""

    port: int
    passwords: dict[str, str]


class Person:
    """A client of MQTT 3.1.1 that is not ours; it asks for whatever it is told to, and notes what it hears."""

    def __init__(self, stage: Stage, name: str, password: str | None = None, *, client_id: str = "") -> None:
        self._client = paho.Client(client_id, clean_session=not client_id, reconnect_on_failure=False)
        self._client.username_pw_set(name, stage.passwords[name] if password is None else password)
        self._connected: queue.Queue[int] = queue.Queue()
        self._answered: queue.Queue[int] = queue.Queue()
        self._heard = threading.Condition()
        self.heard: list[tuple[str, str]] = []
        self._client.on_connect = lambda _, __, ___, code: self._connected.put(code)
        self._client.on_subscribe = lambda _, __, number, ___: self._answered.put(number)
        self._client.on_message = self._hear
        self._client.connect("127.0.0.1", stage.port)
        self._client.loop_start()
        self.code = self._connected.get(timeout=WITHIN)

    def _hear(self, _client: object, _data: object, message: paho.MQTTMessage) -> None:
        with self._heard:
            self.heard.append((message.topic, message.payload.decode("utf-8", "replace")))
            self._heard.notify_all()

    def ask(self, filters: Iterable[str]) -> None:
        """Subscribe to each, whatever the answer."""
        for topic_filter in filters:
            _, number = self._client.subscribe(topic_filter, qos=1)
            assert self._answered.get(timeout=WITHIN) == number

    def say(self, topic: str, text: str) -> None:
        """Publish, and wait for the acknowledgement, which a refused publish gets too."""
        self._client.publish(topic, text, qos=1).wait_for_publish(timeout=WITHIN)

    def wait_for(self, text: str) -> None:
        with self._heard:
            assert self._heard.wait_for(lambda: any(payload == text for _, payload in self.heard), timeout=WITHIN)

    def topics(self) -> set[str]:
        return {topic for topic, _ in self.heard}

    def leave(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()


class WithRoot:
    """The logins of an embedded broker, and one that may do everything."""

    def __init__(self, logins: BrokerLogins) -> None:
        self._logins = logins

    def login(self, username: str, password: str) -> Permissions | None:
        if (username, password) == (ROOT, ROOTS):
            return Permissions(publish=("#",), subscribe=("#",))
        return self._logins.login(username, password)


EMQX = "SIGNAL_GATEWAY_TEST_EMQX"
"""Where ``deploy/emqx/check``, which needs a Docker host, says which gateway's data folder names its EMQX."""


@asynccontextmanager
async def embedded(root: Path, _: MosquittoFactory) -> AsyncIterator[Stage]:
    settings, passwords = settled(root, "")
    logins = BrokerLogins(settings.folder, topics=settings.topics, gateway=(GATEWAY, passwords[GATEWAY]))
    broker = EmbeddedBroker(EmbeddedSettings(port=0), logins=WithRoot(logins))
    await broker.start()
    try:
        yield Stage(broker.port, passwords | {ROOT: ROOTS})
    finally:
        await broker.stop()


@asynccontextmanager
async def on_mosquitto(root: Path, mosquitto: MosquittoFactory) -> AsyncIterator[Stage]:
    text = "broker: {kind: external, password_file: secrets/gateway-broker.password}\n"
    settings, passwords = settled(root, text + "mosquitto: {password_file: passwd, acl_file: acl}\n")
    everything = Permissions(publish=("#", "$SYS/#"), subscribe=("#", "$SYS/#"))
    (root / "acl").write_text("\n".join(acl_lines({ROOT: everything})) + "\n")
    (root / "passwd").write_text("\n".join(password_lines({ROOT: hashed(ROOTS)})) + "\n")
    write_mosquitto(settings)
    broker = mosquitto(options=(f"password_file {root}/passwd", f"acl_file {root}/acl"), anonymous=False)
    yield Stage(broker.port, passwords | {ROOT: ROOTS})


@asynccontextmanager
async def on_emqx(_: Path, __: MosquittoFactory) -> AsyncIterator[Stage]:
    """The EMQX that ``deploy/emqx/check`` started: everybody's login and permissions go there by its API."""
    settings = load(find_folder(None, os.environ[EMQX], {}), {})
    assert settings.emqx is not None
    passwords = settle(settings.folder) | {GATEWAY: str(settings.link.password), ROOT: ROOTS}
    await asyncio.to_thread(push, settings, settings.emqx)
    api = EmqxApi(settings.emqx)
    everything = [{"permission": "allow", "action": "all", "topic": "#"}]
    await asyncio.to_thread(api.put_rules, ROOT, everything)
    await asyncio.to_thread(api.put_users, users_text({ROOT: hashed(ROOTS)}))
    yield Stage(settings.link.port, passwords)


STAGES = {"embedded": embedded, "mosquitto": on_mosquitto} | ({"emqx": on_emqx} if EMQX in os.environ else {})


@pytest.fixture(params=STAGES)
async def stage(request: pytest.FixtureRequest, tmp_path: Path, mosquitto: MosquittoFactory) -> AsyncIterator[Stage]:
    async with STAGES[request.param](tmp_path / "data", mosquitto) as made:
        yield made


def everybody_listens(stage: Stage) -> None:
    """Everybody asks for everything; then something is said everywhere."""
    people = {name: Person(stage, name) for name in PEOPLE}
    root = Person(stage, ROOT)
    for person in people.values():
        person.ask(ASKED)
    for place in PLACES:
        root.say(place.topic, "heard")
    for name, person in people.items():
        root.say(min(heard_by(name)), END)
        person.wait_for(END)
        person.leave()
    root.leave()
    assert {name: person.topics() for name, person in people.items()} == {name: heard_by(name) for name in PEOPLE}


def everybody_speaks(stage: Stage) -> None:
    """Everybody says something everywhere, where somebody hears it who hears all."""
    root = Person(stage, ROOT)
    root.ask(["#"])
    for name in PEOPLE:
        person = Person(stage, name)
        for place in PLACES:
            person.say(place.topic, name)
        person.leave()
    root.say("somebody/elses/topic", END)
    root.wait_for(END)
    root.leave()
    said = {name: {topic for topic, payload in root.heard if payload == name} for name in PEOPLE}
    assert said == {name: said_by(name) for name in PEOPLE}


def strangers_come(stage: Stage) -> None:
    """Nobody gets in with a wrong password, another's, none, or an unknown name."""
    logins = [("stranger", "x"), ("one", ""), ("one", stage.passwords["two"]), (GATEWAY, "x"), ("#", "x"), ("+", "x")]
    for name, password in logins:
        person = Person(stage, name, password)
        person.leave()
        assert person.code in REFUSED, name


def somebody_takes_a_client_id(stage: Stage) -> None:
    """One bot connects as the client that another one was, whose session the broker keeps."""
    owner = Person(stage, "one", client_id="signals.one")
    owner.ask(["signals/v1/receipted/one", "hbot/one/#"])
    owner.leave()
    thief, root = Person(stage, "two", client_id="signals.one"), Person(stage, ROOT)
    thief.ask(["signals/v1/receipted/two"])
    for topic in ("signals/v1/receipted/one", "hbot/one/stop"):
        root.say(topic, "not for two")
    root.say("signals/v1/receipted/two", END)
    thief.wait_for(END)
    thief.leave()
    root.leave()
    assert thief.topics() == {"signals/v1/receipted/two"}


async def test_everybody_hears_what_is_theirs_and_nothing_else(stage: Stage) -> None:
    await asyncio.to_thread(everybody_listens, stage)


async def test_everybody_says_what_is_theirs_and_nothing_else(stage: Stage) -> None:
    await asyncio.to_thread(everybody_speaks, stage)


async def test_nobody_gets_in_without_a_login_of_their_own(stage: Stage) -> None:
    await asyncio.to_thread(strangers_come, stage)


async def test_who_takes_the_client_id_of_another_hears_nothing_that_is_for_that_one(stage: Stage) -> None:
    await asyncio.to_thread(somebody_takes_a_client_id, stage)
