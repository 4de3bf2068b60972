"""The settings in a few lines without secrets, and what may be meant otherwise."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from urllib.parse import urlsplit

from gateway.config.bots import read_bots
from gateway.config.document import read_file
from gateway.config.emqx_logins import not_pushed
from gateway.config.environment import unknown
from gateway.config.keyring import read_keys
from gateway.config.mosquitto import outdated
from gateway.config.settings import Settings
from gateway.mqtt.model import Version

_WEB_PORTS = frozenset({None, 80, 443})
_LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})


def summary(settings: Settings) -> list[str]:
    """What the gateway will do, for its first log lines."""
    link, http = settings.link, settings.http
    broker = "embedded broker" if settings.embedded else f"external broker, MQTT {_version(link.version)}"
    return [
        f"configuration {settings.folder.config}",
        f"webhooks      {http.public}, as {settings.public_url or 'nothing the world can reach'}",
        f"API           {http.private}",
        f"broker        {settings.broker_address}, {broker}{', TLS' if link.tls else ''}",
        f"journal       {settings.journal.path}",
        f"topics        {settings.topics.root}/v1, {settings.topics.namespace}",
        *(f"source        {source.name}, {source.mode}" for source in settings.sources.values()),
        *(f"notify        {target.name}" for target in settings.notify.targets),
    ]


def warnings(settings: Settings, environ: Mapping[str, str]) -> list[str]:
    """What is allowed, and probably not meant."""
    return [
        *unknown(read_file(settings.folder.config), environ),
        *settings.folder.open_to_others(settings.secret_files),
        *_public_url(settings.public_url),
        *_sources(settings),
        *_bots(settings),
        *outdated(settings),
        *not_pushed(settings),
        *_emqx(settings),
        *_expected(settings),
    ]


def _version(version: Version) -> str:
    return "5" if version is Version.V5 else "3.1.1"


def _public_url(url: str | None) -> Iterator[str]:
    if url is None:
        yield "public_url: is not set, so TradingView cannot reach the webhooks: see docs/expose.md"
        return
    parts = urlsplit(url)
    if parts.port not in _WEB_PORTS:
        yield f"public_url: TradingView sends to ports 80 and 443 only, not to {parts.port}"
    if parts.scheme != "https":
        yield "public_url: the webhook's token travels unencrypted: use https"


def _emqx(settings: Settings) -> Iterator[str]:
    if settings.emqx is None:
        return
    if settings.embedded or settings.mosquitto:
        other = "mosquitto" if settings.mosquitto else "broker.kind: embedded"
        yield f"emqx: is for another broker than {other}: keep the one that the gateway uses"
    parts = urlsplit(settings.emqx.url)
    if parts.scheme == "http" and parts.hostname not in _LOOPBACK:
        yield "emqx.url: the key travels unencrypted: use https, or a network that nobody else is on"


def _sources(settings: Settings) -> Iterator[str]:
    if not settings.sources:
        yield "sources: there is none, so nothing can come in"
    keys = read_keys(settings.folder.keys)
    for name in settings.sources:
        if not keys.get(name):
            yield f"sources.{name}: has no token: make one with signal-gateway keys rotate {name}"
    for name in keys.keys() - settings.sources.keys():
        yield f"{settings.folder.keys}: has tokens of {name}, which is no source"


def _bots(settings: Settings) -> Iterator[str]:
    logins = read_bots(settings.folder.bots)
    for source in settings.sources.values():
        for bot in source.bots:
            if bot not in logins:
                yield f"sources.{source.name}.bots: {bot} has no login here, and signals wait for it: bots add {bot}"


def _expected(settings: Settings) -> Iterator[str]:
    for name in () if settings.notify.targets else settings.expected:
        yield f"sources.{name}.expect_every: only the log says that it is silent, as notify.targets is empty"
