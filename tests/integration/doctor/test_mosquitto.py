"""The doctor at a real Mosquitto: each fault is found, alone, with the line that mends it; a good one has none."""

from __future__ import annotations

import asyncio
import subprocess

import pytest

from gateway.config.mosquitto import acl_lines
from gateway.doctor import Grade, Report, examine
from gateway.mqtt import Permissions, Version
from tests.brokers import require
from tests.integration.doctor.conftest import GOOD, RULES, Clinic, Clinics, codes, patient, rules

QUEUE = "max_queued_messages 100000"


def cure(found: Report, code: str) -> str:
    return next(verdict.cure for verdict in found.findings if verdict.code == code)


def retain(clinic: Clinic, topic: str) -> None:
    program = require("mosquitto_pub", package="mosquitto-clients")
    login = ("-u", "gateway", "-P", clinic.patient.link.password or "")
    command = [program, "-p", str(clinic.broker.port), *login, "-t", topic, "-m", "{}", "-q", "1", "-r"]
    subprocess.run(command, check=True, timeout=10)


async def test_a_well_configured_mosquitto_has_nothing_to_mend(clinic: Clinics) -> None:
    found = await clinic().examine()

    assert (codes(found), found.away) == ([], "")
    assert [verdict.code for verdict in found.verdicts if verdict.grade is not Grade.SOUND] == ["version"]


async def test_it_lets_everybody_in(clinic: Clinics) -> None:
    found = await clinic(anonymous=True).examine()

    assert codes(found) == ["anonymous"]
    assert "mosquitto.conf: allow_anonymous false" in cure(found, "anonymous")
    assert found.findings[0].grade is Grade.MONEY


@pytest.mark.more
async def test_it_asks_for_no_password_and_has_no_permissions(clinic: Clinics) -> None:
    found = await clinic(users=None, acl=None).examine()

    assert codes(found) == ["anonymous", "any-password", "bot-writes", "gateway-unbounded", "bot-reads"]


async def test_a_bot_may_command_others(clinic: Clinics) -> None:
    found = await clinic(acl=rules(demo=Permissions(publish=("hbot/+/start",)))).examine()

    assert codes(found) == ["bot-writes"]
    assert "acl_file" in cure(found, "bot-writes")


@pytest.mark.more
async def test_a_bot_may_publish_signals(clinic: Clinics) -> None:
    found = await clinic(acl=rules(demo=Permissions(publish=("signals/v1/trade/#",)))).examine()

    assert codes(found) == ["bot-writes"]
    assert "signals/v1/trade/doctor-" in found.findings[0].says


@pytest.mark.more
async def test_a_gateway_that_may_do_anything_hides_nothing_that_a_bot_may_do(clinic: Clinics) -> None:
    found = await clinic(acl=rules(gateway=Permissions(publish=("#",), subscribe=("#",)))).examine()

    assert codes(found) == ["gateway-unbounded"]
    assert "bot demo hears and says nothing of others (9 topics tried)" in [verdict.says for verdict in found.verdicts]


@pytest.mark.more
async def test_a_bot_hears_the_commands_to_others(clinic: Clinics) -> None:
    found = await clinic(acl=rules(demo=Permissions(subscribe=("hbot/#",)))).examine()

    assert codes(found) == ["bot-reads"]
    assert "acl_file" in cure(found, "bot-reads")


@pytest.mark.more
async def test_the_gateway_may_not_publish_commands(clinic: Clinics) -> None:
    own = RULES["gateway"]
    narrowed = Permissions(publish=tuple(one for one in own.publish if one != "hbot/+/start"), subscribe=own.subscribe)
    found = await clinic(acl="\n".join(acl_lines({**RULES, "gateway": narrowed})) + "\n").examine()

    assert codes(found) == ["gateway-denied"]
    assert "signal-gateway init" in cure(found, "gateway-denied")


@pytest.mark.more
async def test_what_the_gateway_may_not_say_is_not_said_to_be_unheard(clinic: Clinics) -> None:
    own = RULES["gateway"]
    narrowed = Permissions(
        publish=tuple(one for one in own.publish if one != "signals-test/v1/#"), subscribe=own.subscribe
    )
    everything = Permissions(publish=RULES["demo"].publish, subscribe=("signals-test/#", *RULES["demo"].subscribe))
    found = await clinic(acl="\n".join(acl_lines({"demo": everything, "gateway": narrowed})) + "\n").examine()

    assert codes(found) == ["gateway-denied"]
    unseen = {verdict.code: verdict.says for verdict in found.verdicts if verdict.grade is Grade.UNSEEN}
    assert "signals-test/v1/doctor/+" in unseen["bot-reads"]


async def test_it_retains_a_signal_and_a_command(clinic: Clinics) -> None:
    sick = clinic()
    for topic in ("signals/v1/trade/tv/BTC-USDT", "hbot/demo/start"):
        await asyncio.to_thread(retain, sick, topic)
    found = await sick.examine()

    assert codes(found) == ["retained"]
    assert "hbot/demo/start" in found.findings[0].says
    assert "signals/v1/trade/tv/BTC-USDT" in found.findings[0].says
    assert "mosquitto_pub -r -n -t TOPIC" in cure(found, "retained")


@pytest.mark.more
@pytest.mark.parametrize(
    ("code", "options", "remedy"),
    [
        ("window", (*GOOD, "max_inflight_messages 5"), "max_inflight_messages 20"),
        ("packet-size", (*GOOD, "max_packet_size 20000"), "max_packet_size 262144"),
        ("packet-size", (*GOOD, "message_size_limit 20000"), "message_size_limit"),
        ("queue", ("autosave_interval 1", "max_queued_messages 100"), "max_queued_messages 100000"),
        ("qos", (*GOOD, "max_qos 0"), "max_qos 2"),
        ("retain", (*GOOD, "retain_available false"), "retain_available true"),
        ("autosave", (QUEUE,), "autosave_interval 1"),
        ("autosave", (QUEUE, "autosave_interval 0"), "mosquitto.conf:4: autosave_interval 1"),
    ],
    ids=lambda given: given if isinstance(given, str) else given[-1],
)
async def test_a_line_of_its_configuration_is_wrong(
    clinic: Clinics, code: str, options: tuple[str, ...], remedy: str
) -> None:
    found = await clinic(options=options).examine()

    assert codes(found) == [code]
    assert remedy in cure(found, code)


@pytest.mark.more
async def test_it_keeps_nothing_on_its_disk(clinic: Clinics) -> None:
    found = await clinic(persistent=False).examine()

    assert codes(found) == ["persistence"]
    assert "persistence true" in cure(found, "persistence")


@pytest.mark.more
async def test_the_gateway_speaks_the_older_version(clinic: Clinics) -> None:
    found = await clinic().examine(version=Version.V311)

    assert codes(found) == ["version5"]
    assert "broker.version" in cure(found, "version5")
    assert {verdict.code for verdict in found.verdicts if verdict.grade is Grade.UNSEEN} == {"version", "bot-writes"}


async def test_the_gateway_has_a_wrong_password(clinic: Clinics) -> None:
    found = await clinic().examine(password="another")

    assert codes(found) == ["gateway-refused"]
    assert "broker.password_file" in cure(found, "gateway-refused")
    assert found.away == ""


@pytest.mark.more
async def test_its_version_is_told_where_the_gateway_may_read_it(clinic: Clinics) -> None:
    found = await clinic(acl=rules(gateway=Permissions(subscribe=("$SYS/broker/version",)))).examine()

    assert codes(found) == []
    assert any("mosquitto version 2" in verdict.says for verdict in found.verdicts if verdict.code == "version")


@pytest.mark.more
async def test_without_a_bots_login_nothing_is_said_to_be_well_of_bots(clinic: Clinics) -> None:
    found = await examine(patient(clinic().broker.port, bot=None))

    assert codes(found) == []
    assert {verdict.code for verdict in found.verdicts if verdict.grade is Grade.UNSEEN} == {
        "version",
        "bot",
        "retained",
    }
