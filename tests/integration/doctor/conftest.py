"""What the doctor's tests share: a well configured Mosquitto that each of them spoils in one place."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from gateway.config.mosquitto import acl_lines
from gateway.config.permissions import gateway_permissions, permissions
from gateway.doctor import BotLogin, Kind, Patient, Report, examine, judge_store, report
from gateway.mqtt import LinkSettings, Permissions, Version
from schemas.topics import Topics
from tests.brokers import Mosquitto, MosquittoFactory

TOPICS = Topics()
USERS = {"gateway": "password-of-the-gateway", "demo": "password-of-demo"}
RULES = {"gateway": gateway_permissions(TOPICS), "demo": permissions("demo", (), TOPICS)}
GOOD = ("autosave_interval 1", "max_queued_messages 100000")


def rules(**more: Permissions) -> str:
    """An acl_file; ``more``: what a login may besides."""
    allowed = {
        name: Permissions(publish=(*own.publish, *extra.publish), subscribe=(*own.subscribe, *extra.subscribe))
        for name, own in RULES.items()
        for extra in (more.get(name, Permissions()),)
    }
    return "\n".join(acl_lines(allowed)) + "\n"


@dataclass(frozen=True)
class Clinic:
    """A broker, and how it is examined."""

    broker: Mosquitto
    patient: Patient

    async def examine(self, **link: object) -> Report:
        """What the doctor finds, with the broker's configuration at hand."""
        patient = replace(self.patient, link=replace(self.patient.link, **link))
        found = await examine(patient)
        conf = Path(self.broker._configuration)
        return report([*found.verdicts, *judge_store(patient.link, Kind.MOSQUITTO, conf)], away=found.away)


def link(port: int, **changes: object) -> LinkSettings:
    given = LinkSettings(
        host="127.0.0.1",
        port=port,
        client_id="signals.gateway",
        username="gateway",
        password=USERS["gateway"],
        version=Version.V5,
    )
    return replace(given, **changes)


def patient(port: int, **changes: object) -> Patient:
    given = Patient(
        link=link(port),
        topics=TOPICS,
        kind=Kind.OTHER,
        bot=BotLogin("demo", USERS["demo"]),
        run=secrets.token_hex(4),
        now=time.time(),
    )
    return replace(given, **changes)


Clinics = Callable[..., Clinic]


@pytest.fixture
def clinic(mosquitto: MosquittoFactory) -> Clinics:
    """Start a well configured Mosquitto with one difference."""

    def make(*, options: Iterable[str] = GOOD, **changes: object) -> Clinic:
        given = {"users": dict(USERS), "acl": rules(), "persistent": True, **changes}
        broker = mosquitto(options=tuple(options), log=("error",), **given)
        return Clinic(broker, patient(broker.port))

    return make


def codes(found: Report) -> list[str]:
    """What is to be mended."""
    return [verdict.code for verdict in found.findings]
