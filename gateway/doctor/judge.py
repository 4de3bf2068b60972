"""From what was seen of a broker to verdicts; no socket, no clock."""

from __future__ import annotations

from collections.abc import Iterator

from gateway.doctor.cures import cure
from gateway.doctor.seen import CLOSED, BotReach, Doors, Greeted, Kept, Kind, Reach, taken
from gateway.doctor.verdict import Grade, Verdict, sound, unseen
from gateway.mqtt.reasons import in_words

LARGEST_SIGNAL = 65_536
LARGEST_PACKET = LARGEST_SIGNAL + 4_096
"""Bytes of a signal's packet at most, with topic, properties and lengths."""

_SPARE = 4
"""Of the broker's Receive Maximum, that the gateway leaves for subscriptions."""

SLOW = 1.0
"""Seconds for one acknowledgement; a thousand would take too long."""

_FEW = 3

_OF_LOGINS = frozenset({4, 5, 0x86, 0x87, 0x8A, 0x8C, CLOSED})
"""How a login is refused; with another code it might be let in the next time."""


_AGAIN = "signal-gateway doctor once more"


def judge_doors(doors: Doors, kind: Kind) -> Iterator[Verdict]:
    """Who gets in that should not."""
    if doors.anonymous == 0:
        says = "the broker lets in whoever connects, without a name or password"
        yield Verdict(Grade.MONEY, "anonymous", says, cure("anonymous", kind))
    wrong = [
        who for who, code in (("an unknown name", doors.stranger), ("a wrong password", doors.impostor)) if code == 0
    ]
    if wrong:
        says = f"the broker lets in a login with {' and one with '.join(wrong)}"
        yield Verdict(Grade.MONEY, "any-password", says, cure("any-password", kind))
    if doors.anonymous == 0 or wrong:
        return
    other = [code for code in (doors.anonymous, doors.stranger, doors.impostor) if code not in {None, *_OF_LOGINS}]
    if other:
        yield unseen("logins", f"who gets in: the broker refused for another reason, {in_words(other[0] or 0)}", _AGAIN)
    else:
        yield sound("logins", "who has no login, an unknown one or a wrong password is refused")


def judge_greeting(greeted: Greeted, kind: Kind, *, window: int) -> Iterator[Verdict]:
    """What the broker's CONNACK promises.

    Args:
        greeted: what it says.
        kind: which broker it is.
        window: publishes that the gateway has in flight at most.
    """
    yield from _version(greeted, kind)
    if not greeted.version5:
        return
    before = 0
    for verdict in _limits(greeted, kind, window=window):
        before += 1
        yield verdict
    if not before:
        shared = "" if greeted.shares else "; it has no shared subscriptions, which nothing here uses"
        yield sound("limits", f"window, packet size, sessions, QoS and retained messages are enough{shared}")


def _version(greeted: Greeted, kind: Kind) -> Iterator[Verdict]:
    if greeted.version5:
        return
    says = "MQTT 3.1.1 is spoken, in which a refused message looks delivered, and nothing expires at the broker"
    if kind is Kind.EMBEDDED:
        yield Verdict(Grade.LIMIT, "version5", f"{says}; the gateway asks the broker's tables instead")
    elif greeted.offers5:
        remedy = "signal-gateway.yml: leave broker.version out, or 5; bots: SIGNAL_GATEWAY_MQTT_VERSION=5"
        yield Verdict(Grade.SIGNALS, "version5", f"{says}; this broker speaks MQTT 5", remedy)
    else:
        yield Verdict(Grade.LIMIT, "version5", f"{says}; this broker speaks no other")


def _limits(greeted: Greeted, kind: Kind, *, window: int) -> Iterator[Verdict]:
    def wrong(code: str, says: str, grade: Grade = Grade.SIGNALS) -> Verdict:
        return Verdict(grade, code, says, cure(code, kind))

    if greeted.max_qos < 1:
        yield wrong("qos", "the broker takes QoS 0 only, with which it acknowledges nothing")
    if not greeted.retains:
        yield wrong("retain", "the broker retains nothing, so that nobody knows which bots are there")
    if not greeted.wildcards:
        yield wrong("wildcards", "the broker takes no wildcard in a subscription, so that the gateway hears no bot")
    most = greeted.max_packet_size
    if most is not None and most < LARGEST_PACKET:
        yield wrong("packet-size", f"the broker takes packets of {most} bytes; a signal has up to {LARGEST_SIGNAL}")
    most = greeted.receive_maximum
    if most is not None and most < window + _SPARE:
        says = f"the broker takes {most} messages in flight; {window + _SPARE} are used (broker.window {window})"
        yield wrong("window", says, Grade.TROUBLE)
    if greeted.session_expiry < greeted.asked_expiry:
        kept = f"{greeted.session_expiry} s" if greeted.session_expiry else "not at all"
        says = f"the broker keeps the gateway's session {kept}; {greeted.asked_expiry} s were asked for"
        yield wrong("session", says)


def judge_reach(reach: Reach, kind: Kind, *, version5: bool, slow: float = SLOW) -> Iterator[Verdict]:
    """What the gateway's login may do, and whether the broker says what it refuses; ``slow``: how many seconds are."""
    yield from _own(reach, kind, version5=version5)
    if reach.beyond == CLOSED:
        says = "the broker closes the connection of who publishes where it may not; others' signals wait for that"
        yield Verdict(Grade.TROUBLE, "closes", says, cure("closes", kind))
    elif reach.beyond_heard:
        says = "the gateway's login may publish and read anything: perhaps no permissions are in force at all"
        yield Verdict(Grade.TROUBLE, "gateway-unbounded", says, cure("gateway-unbounded", kind))
    elif version5 and taken(reach.beyond):
        says = (
            "the broker acknowledges as a success what the gateway's login may not publish, or lets it publish anywhere"
        )
        yield Verdict(Grade.SIGNALS, "reasons", says, cure("reasons", kind))
    elif version5:
        yield sound("reasons", "what is refused is told, with its reason code")
    yield from _carried(reach, kind, slow=slow)


def _own(reach: Reach, kind: Kind, *, version5: bool) -> Iterator[Verdict]:
    denied = [
        *(f"publish {topic}" for topic in reach.cannot_publish),
        *(f"subscribe {one}" for one in reach.cannot_subscribe),
    ]
    if denied:
        says = f"the gateway's login may not {_some(denied)}"
        yield Verdict(Grade.SIGNALS, "gateway-denied", says, cure("gateway-denied", kind))
    elif version5:
        yield sound("gateway", "the gateway's login may publish and subscribe what it needs")
    if not reach.hears:
        says = (
            "queue, sessions and expiry: the gateway's login may not read signals-test/v1/doctor/+, which is for this"
        )
        yield unseen("doctor-denied", says, cure("doctor-denied", kind))


def _carried(reach: Reach, kind: Kind, *, slow: float) -> Iterator[Verdict]:
    if reach.largest is None:
        pass
    elif reach.largest == CLOSED:
        says = f"the broker closes the connection over a message of {LARGEST_SIGNAL} bytes, as a signal may have"
        yield Verdict(Grade.SIGNALS, "packet-size", says, cure("packet-size", kind))
    elif not taken(reach.largest):
        says = f"the broker refuses a message of {LARGEST_SIGNAL} bytes, as a signal may have (0x{reach.largest:02X})"
        yield Verdict(Grade.SIGNALS, "packet-size", says, cure("packet-size", kind))
    if reach.took >= slow:
        says = f"the broker took {reach.took:.1f} s to acknowledge one message"
        yield Verdict(Grade.SIGNALS, "slow", says, cure("slow", kind))
    if reach.version:
        yield from _release(reach.version, kind)
    elif kind is not Kind.EMBEDDED:
        says = "which version the broker is: it shows the gateway's login nothing below $SYS"
        yield unseen("version", says, "ask it: mosquitto -h, or emqx ctl broker")


def _release(version: str, kind: Kind) -> Iterator[Verdict]:
    number = "".join(part for part in version if part.isdigit() or part == ".").strip(".")
    first = number.partition(".")[0]
    oldest = {Kind.MOSQUITTO: 2, Kind.EMQX: 5}.get(kind, 0)
    if first and int(first) < oldest:
        says = f"the broker is {kind.value} {number}; before {oldest} it lets anybody in unless told otherwise"
        yield Verdict(Grade.TROUBLE, "version", says, cure("version", kind))
    else:
        yield sound("version", f"the broker says that it is {version}")


def judge_kept(kept: Kept, kind: Kind) -> Iterator[Verdict]:
    """What the broker keeps for a client that is away."""
    if not kept.session_present:
        says = "the broker forgets the session of a client that is away, and what came meanwhile"
        yield Verdict(Grade.SIGNALS, "session", says, cure("session", kind))
    elif kept.came < kept.sent:
        says = f"of {kept.sent} messages for a client that was away the broker kept {kept.came}"
        lost = kept.acknowledged - kept.came
        told = f"; {lost} were lost after it had acknowledged them" if lost > 0 else ""
        yield Verdict(Grade.SIGNALS, "queue", f"{says}{told}", cure("queue", kind))
    else:
        yield sound("queue", f"{kept.sent} messages for a client that was away were kept")
    if kept.expired_came:
        says = "the broker delivers what expired while its client was away"
        yield Verdict(Grade.TROUBLE, "expiry", says, cure("expiry", kind))
    elif kept.expired_came is False:
        yield sound("expiry", "what expires at the broker is not delivered")


def judge_bot(bot: BotReach, kind: Kind) -> Iterator[Verdict]:
    """Whether a bot hears its own and nothing else, and says its own and nothing else."""
    if bot.code != 0:
        remedy = f"signal-gateway bots rotate {bot.name}, and at an external broker the login there too"
        yield unseen("bot", f"what a bot may do: the broker refuses the login of {bot.name}", remedy)
        return
    if bot.writes:
        says = f"bot {bot.name} may publish to {_some(bot.writes)}: it can trade for the others"
        yield Verdict(Grade.MONEY, "bot-writes", says, cure("bot-writes", kind))
    if bot.reads:
        says = f"bot {bot.name} hears {_some(bot.reads)}, which is for others"
        yield Verdict(Grade.TROUBLE, "bot-reads", says, cure("bot-reads", kind))
    if bot.cannot_subscribe:
        says = f"bot {bot.name} may not subscribe to {_some(bot.cannot_subscribe)}"
        yield Verdict(Grade.SIGNALS, "bot-denied", says, cure("bot-denied", kind))
    if not (bot.writes or bot.reads):
        yield sound("bot", f"bot {bot.name} hears and says nothing of others ({bot.tried} topics tried)")
    if bot.unsaid:
        says = f"whether bot {bot.name} hears {_some(bot.unsaid)}: the gateway's login may say nothing there"
        yield unseen("bot-reads", says, cure("gateway-denied", kind))
    if not bot.told_writes and not bot.writes:
        says = "whether a bot may publish commands: the broker does not say what it refuses, so one topic was tried"
        yield unseen("bot-writes", says)


def judge_retained(topics: tuple[str, ...], kind: Kind, *, by: str | None) -> Iterator[Verdict]:
    """Old news that a bot gets at each start.

    Args:
        topics: where signals or commands are retained.
        kind: which broker it is.
        by: the bot whose login looked; None where none did.
    """
    if topics:
        says = f"the broker retains {_some(topics)}: a bot that starts trades on it, however old it is"
        yield Verdict(Grade.MONEY, "retained", says, cure("retained", kind))
    elif by:
        yield sound("retained", f"no signal or command is retained that bot {by} may read")
    else:
        yield unseen("retained", "whether signals are retained: only a bot's login may read them", NO_BOT)


NO_BOT = "name a bot: --bot NAME, with --password-file where data/bots/NAME.env is not there"


def _some(names: list[str] | tuple[str, ...]) -> str:
    more = f" and {len(names) - _FEW} more" if len(names) > _FEW else ""
    return f"{', '.join(names[:_FEW])}{more}"
