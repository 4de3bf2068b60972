"""The doctor at the embedded broker: nothing to mend, and its limits in words."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from gateway.doctor import Grade, Kind, examine, judge_store
from gateway.mqtt import Permissions, Version
from gateway.mqtt.embedded import EmbeddedBroker, EmbeddedSettings
from tests.integration.doctor.conftest import RULES, USERS, codes, link, patient


class Logins(dict[str, Permissions]):
    """Permissions by user name."""

    def login(self, username: str, password: str) -> Permissions | None:
        return self.get(username) if USERS.get(username) == password else None


@pytest.fixture
async def broker() -> AsyncIterator[EmbeddedBroker]:
    broker = EmbeddedBroker(EmbeddedSettings(port=0), logins=Logins(RULES))
    await broker.start()
    yield broker
    await broker.stop()


async def test_the_embedded_broker_has_nothing_to_mend_and_its_limits_are_told(broker: EmbeddedBroker) -> None:
    given = patient(broker.port, link=link(broker.port, version=Version.V311), kind=Kind.EMBEDDED)
    found = await examine(given)
    verdicts = [*found.verdicts, *judge_store(given.link, Kind.EMBEDDED, None)]

    assert (codes(found), found.away) == ([], "")
    assert {verdict.code for verdict in verdicts if verdict.grade is Grade.LIMIT} == {"version5", "persistence"}
    assert {verdict.code for verdict in verdicts if verdict.grade is Grade.UNSEEN} == {"bot-writes"}
    assert {"logins", "queue", "bot", "retained"} <= {v.code for v in verdicts if v.grade is Grade.SOUND}
