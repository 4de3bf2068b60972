"""Who may hear and say what, written down by hand: what every broker's rules are held against."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from gateway.config.bots import put_bot
from gateway.config.clients import put_client
from gateway.config.document import read
from gateway.config.folder import Folder
from gateway.config.load import load_document
from gateway.config.settings import Settings
from gateway.mqtt.filters import matches
from gateway.roles import Role

NOW = 1_795_352_101_000_000

GATEWAY = "gateway"
BOTS: Mapping[str, tuple[str, ...]] = {"one": ("tv",), "two": ("other",), "every": ()}
"""By name, the sources that a bot may read."""

CLIENTS: Mapping[str, tuple[Role, tuple[str, ...], bool]] = {
    "viewer": (Role.VIEWER, (), False),
    "limited": (Role.OPERATOR, ("one",), False),
    "operator": (Role.OPERATOR, (), False),
    "admin": (Role.ADMIN, (), False),
    "legacy": (Role.VIEWER, (), True),
}
"""By name: role, the bots that it is limited to, whether it reads replies as older clients want them."""

PEOPLE = (GATEWAY, *BOTS, *CLIENTS)

_UNLIMITED = {"viewer", "operator", "admin", "legacy"}
_ALL_CLIENTS = {*_UNLIMITED, "limited"}
_COMMANDERS = {"operator", "admin"}


@dataclass(frozen=True, slots=True)
class Place:
    """A topic: who hears what is said there, and who may say something."""

    topic: str
    hear: frozenset[str]
    say: frozenset[str]


def _places() -> Iterator[tuple[str, set[str], set[str]]]:
    for tree in ("signals", "signals-test"):
        for body in ("trade", "alert", "prediction"):
            yield f"{tree}/v1/{body}/tv/BTC-USDT", {"one", "every", "admin"}, {GATEWAY}
            yield f"{tree}/v1/{body}/other/BTC-USDT", {"two", "every", "admin"}, {GATEWAY}
    for bot, limited in (("one", {"limited"}), ("two", set())):
        told = {GATEWAY, *_UNLIMITED, *limited}
        yield f"signals/v1/receipt/{bot}", told, {GATEWAY, bot}
        yield f"signals/v1/receipted/{bot}", {bot}, {GATEWAY}
        yield f"signals/v1/bot/{bot}", {bot, *told}, {GATEWAY, bot}
        yield f"signals/v1/reply/{bot}/gateway/7f", {GATEWAY}, {GATEWAY, bot}
        yield f"signals/v1/reply/{bot}/operator/7f", {"operator"}, {GATEWAY, bot}
        yield f"hbot/{bot}/hb", {bot, *told}, {bot}
        yield f"hbot/{bot}/log", {bot, *told}, {bot}
        yield f"hbot/{bot}/stop", {bot}, {GATEWAY, *_COMMANDERS, *limited}
        yield f"hbot/{bot}/command/rebalance", {bot}, {GATEWAY, *_COMMANDERS, *limited}
        yield f"hbot/{bot}/external/event/tv/signal", {bot}, {GATEWAY}
        yield f"hbot/{bot}/of/its/own", {bot}, set()
    yield "signals/v1/gateway/gateway", {GATEWAY, *_ALL_CLIENTS}, {GATEWAY}
    yield "hbot/predictions/btc_usdt/ML_SIGNALS", {GATEWAY, "every"}, {GATEWAY}
    yield f"rpc-{'7f' * 16}", {"legacy"}, {*BOTS}
    yield "hummingbot-api/response/1786000000000", {"legacy"}, {*BOTS}
    yield "somebody/elses/topic", set(), set()
    yield "signals/v2/trade/tv/BTC-USDT", set(), set()


PLACES = tuple(Place(topic, frozenset(hear), frozenset(say)) for topic, hear, say in _places())

WIDE = (
    "#", "+", "+/#", "+/+", "+/+/+", "+/+/+/#", "/#",
    "signals/#", "signals/v1/#", "signals/v1/+/#", "signals/v1/+/+", "signals/v1/+/+/+", "signals/+/+/tv/+",
    "signals/v1/trade/#", "signals/v1/trade/+/#", "signals/v1/trade/other/#", "signals/v1/trade/tv/#",
    "signals/v1/receipt/#", "signals/v1/reply/#", "signals/v1/reply/+/+/+", "signals/v1/reply/one/#",
    "signals-test/#", "+/v1/trade/tv/+",
    "hbot/#", "hbot/+/#", "hbot/+/+", "hbot/+/stop", "hbot/one/#", "hbot/two/#", "hbot/predictions/#",
    "hbot/+/+/ML_SIGNALS",
    "hummingbot-api/#", "hummingbot-api/response/#",
    "$share/g/#", "$share/g/+", "$share/g/signals/v1/trade/other/+", "$share/g/hbot/+/stop", "$SYS/#", "$SYS/broker/#",
    "$queue/#", "$exclusive/#",
)  # fmt: skip
"""What somebody who is curious asks for besides the topics themselves."""

NARROW = (
    "signals/v1/trade/tv/+", "signals/v1/trade/other/+", "signals/v1/trade/+/+", "signals/v1/receipt/+",
    "signals/v1/bot/+",
    "signals/v1/gateway/+", "hbot/+/hb", "signals/v1/reply/+/gateway/+", "hummingbot-api/response/+",
)  # fmt: skip

ASKED = (*WIDE, *NARROW, *(place.topic for place in PLACES))


def heard_by(name: str) -> set[str]:
    """The topics that a login hears, whatever it asks for."""
    return {place.topic for place in PLACES if name in place.hear}


def said_by(name: str) -> set[str]:
    """The topics on which a login may say something."""
    return {place.topic for place in PLACES if name in place.say}


def plain(topic_filter: str) -> str:
    """A filter without ``$share/GROUP/``, or what EMQX has besides."""
    if topic_filter.startswith("$share/"):
        return topic_filter.split("/", 2)[2]
    return topic_filter.removeprefix("$queue/").removeprefix("$exclusive/")


def reached(topic_filter: str) -> set[str]:
    """The topics that a filter matches."""
    return {place.topic for place in PLACES if matches(plain(topic_filter), place.topic)}


def settled(root: Path, configuration: str) -> tuple[Settings, dict[str, str]]:
    """A data folder where everybody has a login, its settings, and the passwords."""
    folder = Folder(root, root / "c.yml")
    folder.secrets.mkdir(parents=True)
    own = folder.broker_password
    own.write_text("the-gateways-own\n")
    settings = load_document(read(configuration, file="c.yml"), folder, {})
    return settings, {GATEWAY: "the-gateways-own"} | settle(folder)


def settle(folder: Folder) -> dict[str, str]:
    """Give every bot and client a login, and say their passwords."""
    passwords = {}
    for name, sources in BOTS.items():
        passwords[name] = put_bot(folder.bots, name, sources=sources, now=NOW)
    for name, (role, bots, legacy) in CLIENTS.items():
        given = put_client(folder.clients, name, role=role, bots=bots, broker=True, legacy=legacy, now=NOW)
        assert given.password is not None
        passwords[name] = given.password
    return passwords
