"""The doctor disturbs nobody: nothing that it says reaches a gateway, bot or client, and nothing of it stays behind."""

from __future__ import annotations

import asyncio

import pytest

from gateway.config.clients import Client
from gateway.config.permissions import client_permissions, gateway_permissions, permissions
from gateway.mqtt import GmqttLink, Permissions, Version
from gateway.mqtt.filters import matches
from gateway.roles import Role
from tests.brokers import eventually
from tests.integration.doctor.conftest import GOOD, TOPICS, USERS, Clinics, link, rules

SPY = "user spy\ntopic read #\ntopic read $SYS/#\n"


@pytest.mark.parametrize("version", list(Version))
async def test_nothing_that_the_doctor_says_is_heard_by_anybody_or_stays(clinic: Clinics, version: Version) -> None:
    """Also where a bot may say anything, so that all of it gets through."""
    heard: list[str] = []
    totals: list[bytes] = []  # said when it changes
    rounds: list[bytes] = []  # of what the broker says of itself
    acl = rules(demo=Permissions(publish=("#",), subscribe=("#",))) + SPY
    sick = clinic(acl=acl, users={**USERS, "spy": "password-of-the-spy"}, options=(*GOOD, "sys_interval 1"))
    spy = GmqttLink(link(sick.broker.port, client_id="spy", username="spy", password="password-of-the-spy"))
    await spy.subscribe("#", lambda topic, _: heard.append(topic))
    await spy.subscribe("$SYS/broker/clients/total", lambda _, payload: totals.append(payload))
    await spy.subscribe("$SYS/broker/uptime", lambda _, payload: rounds.append(payload))
    running = asyncio.create_task(spy.run())
    try:
        await asyncio.wait_for(spy.wait_connected(), 5)
        await sick.examine(version=version)
        rounds.clear()
        await eventually(lambda: len(rounds) >= 3 and totals[-1] == b"1", within=10)
    finally:
        running.cancel()
        await asyncio.wait({running})

    assert len(heard) > 1000
    admin = Client(name="admin", role=Role.ADMIN, token=b"", created="")
    everybody = [
        *(one for one in gateway_permissions(TOPICS).subscribe if one != TOPICS.doctor()),
        *permissions("another", (), TOPICS).subscribe,
        *permissions("demo", (), TOPICS).subscribe,
        *client_permissions(admin, TOPICS).subscribe,
    ]
    assert [(topic, one) for topic in set(heard) for one in everybody if matches(one, topic)] == []

    late = GmqttLink(link(sick.broker.port, client_id="late", username="spy", password="password-of-the-spy"))
    kept: list[str] = []
    await late.subscribe("#", lambda topic, _: kept.append(topic))
    gateway = GmqttLink(link(sick.broker.port, client_id="gateway"))
    both = {asyncio.create_task(one.run()) for one in (late, gateway)}
    for one in (late, gateway):
        await asyncio.wait_for(one.wait_connected(), 5)
    await gateway.publish("signals/v1/end", b"")
    await eventually(lambda: "signals/v1/end" in kept)
    for task in both:
        task.cancel()
    await asyncio.wait(both)
    assert kept == ["signals/v1/end"]
