"""The examination of a broker, in its order: what each step sees is judged at once, and the first silence ends it."""

from __future__ import annotations

import asyncio
import ssl
from dataclasses import dataclass, replace

from gateway.config.permissions import permissions
from gateway.doctor.access import (
    BotLogin,
    every_signal,
    see_bot,
    see_doors,
    see_reach,
    see_release,
    see_retained,
)
from gateway.doctor.judge import (
    NO_BOT,
    SLOW,
    judge_bot,
    judge_doors,
    judge_greeting,
    judge_kept,
    judge_reach,
    judge_retained,
)
from gateway.doctor.keeping import see_kept
from gateway.doctor.seen import Greeted, Kind
from gateway.doctor.transport import judge_wire, see_wire, takes_old_tls
from gateway.doctor.verdict import Grade, Report, Verdict, report, unseen
from gateway.doctor.visits import Login, Visits
from gateway.mqtt.model import LinkLost, LinkSettings, Version
from gateway.mqtt.probe import Greeting, Unanswered, probe
from gateway.mqtt.reasons import in_words
from schemas.topics import Topics

_WRONG_VERSION = frozenset({1, 0x84})
_MOSQUITTO_IDS = "auto-"


@dataclass(frozen=True, slots=True, kw_only=True)
class Patient:
    """A broker that is to be examined.

    Args:
        link: how the gateway reaches it.
        topics: the topic tree.
        kind: which broker it is, as far as the configuration says.
        bot: a bot's login there, where one is known.
        run: random letters and digits, another in each examination.
        now: seconds since the epoch.
        slow: seconds for one acknowledgement from which on a broker is slow.
        within: seconds that all of it may take.
    """

    link: LinkSettings
    topics: Topics
    kind: Kind
    bot: BotLogin | None
    run: str
    now: float
    slow: float = SLOW
    within: float = 120.0

    @property
    def login(self) -> Login | None:
        """The gateway's."""
        username, password = self.link.username, self.link.password
        return None if username is None else (username, password or "")


async def examine(patient: Patient) -> Report:
    """Examine a broker; nothing is left behind there, and nobody who uses it is disturbed."""
    verdicts: list[Verdict] = []
    away = ""
    try:
        async with asyncio.timeout(patient.within):
            await _examination(patient, verdicts)
    except* OSError as group:
        away = why_away(_first(group), patient.link)
    return report(verdicts, away=away)


async def _examination(patient: Patient, verdicts: list[Verdict]) -> None:
    """Add verdicts, until the broker does not answer any more."""
    visits = Visits(patient.link, patient.topics, run=patient.run)
    async with probe(patient.link) as caller:
        wire = see_wire(caller)
        asked = patient.link.session_expiry
        greeting = await caller.greet(visits.client_id(), patient.login, session_expiry=asked)
        await caller.close()
    kind, release = await _identify(visits, patient, greeting)
    verdicts += judge_doors(await see_doors(visits, patient.login), kind)
    old = wire.encrypted and await takes_old_tls(patient.link)
    verdicts += judge_wire(replace(wire, old=old), kind, now=patient.now)
    if not greeting.accepted:
        verdicts.append(_refused(greeting, patient.link))
        return
    greeted = await _greeted(visits, patient, greeting)
    verdicts += judge_greeting(greeted, kind, window=patient.link.window)
    if greeted.max_qos < 1:
        verdicts.append(unseen("rest", "permissions, queue and retained messages: all of it takes QoS 1"))
        return
    reach = await see_reach(visits, patient.login, most=greeted.max_packet_size, version=release)
    verdicts += judge_reach(reach, kind, version5=greeted.version5, slow=patient.slow)
    if reach.took >= patient.slow:
        verdicts.append(unseen("rest", "queue, sessions, bots and retained messages: the broker is too slow for it"))
        return
    keeping: list[Verdict] = []
    allowed: list[Verdict] = []
    try:
        async with asyncio.TaskGroup() as both:
            if reach.hears:
                both.create_task(_keeping(visits, patient, kind, keeping))
            both.create_task(_bot(visits, patient, kind, allowed))
    finally:
        verdicts += [*keeping, *allowed]


async def _keeping(visits: Visits, patient: Patient, kind: Kind, verdicts: list[Verdict]) -> None:
    """Add what the broker keeps for who is away."""
    verdicts += judge_kept(await see_kept(visits, patient.login), kind)


async def _bot(visits: Visits, patient: Patient, kind: Kind, verdicts: list[Verdict]) -> None:
    """Add what takes a bot's login."""
    retained = await see_retained(visits, patient.login, every_signal(patient.topics))
    bot, looked = patient.bot, None
    if bot is None:
        says = "whether a bot can read or write what is another's: no bot's login is known here"
        verdicts.append(unseen("bot", says, NO_BOT))
    else:
        seen = await see_bot(visits, bot, patient.login)
        verdicts += judge_bot(seen, kind)
        if seen.code == 0:
            looked = bot.name
            own = permissions(bot.name, bot.sources, patient.topics).subscribe
            retained += await see_retained(visits, bot.login, own)
    verdicts += judge_retained(tuple(dict.fromkeys(retained)), kind, by=looked)


async def _identify(visits: Visits, patient: Patient, greeting: Greeting) -> tuple[Kind, str]:
    """Which broker it is, by what is known and what it tells."""
    if patient.kind is Kind.EMBEDDED or not greeting.accepted:
        return patient.kind, ""
    kind, release = await see_release(visits, patient.login)
    if kind is Kind.OTHER:
        kind = patient.kind
    if kind is Kind.OTHER and patient.link.version is Version.V5:
        async with probe(patient.link) as caller:
            named = (await caller.greet("", patient.login)).told.get("assigned_client_identifier", "")
            await caller.close()
        kind = Kind.MOSQUITTO if str(named).startswith(_MOSQUITTO_IDS) else kind
    return kind, release


async def _greeted(visits: Visits, patient: Patient, greeting: Greeting) -> Greeted:
    version5, told = patient.link.version is Version.V5, greeting.told
    asked = patient.link.session_expiry
    offers5 = not version5 and patient.kind is not Kind.EMBEDDED and await _offers5(visits, patient.login)
    return Greeted(
        version5=version5,
        offers5=offers5,
        asked_expiry=asked,
        session_expiry=told.get("session_expiry_interval", asked),
        receive_maximum=told.get("receive_maximum"),
        max_packet_size=told.get("maximum_packet_size"),
        max_qos=told.get("max_qos", 2),
        retains=bool(told.get("retain_available", 1)),
        wildcards=bool(told.get("wildcard_subscription_available", 1)),
        shares=bool(told.get("shared_subscription_available", 1)),
    )


async def _offers5(visits: Visits, login: Login | None) -> bool:
    """Whether a broker speaks MQTT 5; one that does not may never answer."""
    try:
        return await visits.knock(login, version=Version.V5) == 0
    except Unanswered:
        return False


def _refused(greeting: Greeting, link: LinkSettings) -> Verdict:
    says = f"the broker refuses the gateway's login: {in_words(greeting.code)}; nothing can be delivered"
    if greeting.code in _WRONG_VERSION:
        other = "3.1.1" if link.version is Version.V5 else "5"
        return Verdict(Grade.SIGNALS, "gateway-refused", says, f"signal-gateway.yml: broker.version: {other}")
    cure = (
        "signal-gateway.yml: broker.username and broker.password_file must be a login of the broker; for Mosquitto,"
        " signal-gateway init writes it into mosquitto.password_file, then systemctl reload mosquitto"
    )
    return Verdict(Grade.SIGNALS, "gateway-refused", says, cure)


def _first(error: BaseException) -> OSError:
    """The first one of a group."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    assert isinstance(error, OSError)
    return error


def why_away(error: OSError, link: LinkSettings) -> str:
    """Why a broker could not be examined, and what to do."""
    place = f"the broker at {link.host}:{link.port}"
    match error:
        case ssl.SSLCertVerificationError():
            remedy = "broker.tls.ca must be the file of the authority that signed it, broker.host a name in it"
            return f"{place} shows a certificate that is not trusted ({error.verify_message}): {remedy}"
        case ssl.SSLError():
            remedy = "its TLS port is mostly 8883; without TLS, broker.tls.enabled: false"
            return f"{place} does not speak TLS with us ({error.reason}): {remedy}"
        case Unanswered():
            return f"{error}, at {link.host}:{link.port}: is it overloaded, a TLS port, or no broker at all?"
        case TimeoutError():
            return f"{place} answers so slowly that the examination did not come to its end: look at its disk and CPU"
        case LinkLost():
            return f"{error}, at {link.host}:{link.port}: look into its log; does it speak MQTT, and without TLS?"
        case _:
            why = "nothing listens there" if isinstance(error, ConnectionRefusedError) else error.strerror or error
            remedy = "start it, or mend broker.host and broker.port; an embedded one runs with signal-gateway run"
            return f"{place} cannot be reached ({why}): {remedy}"
