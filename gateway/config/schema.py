"""What may stand in the configuration: every section, its settings, their defaults."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from marshmallow import EXCLUDE, Schema, ValidationError, validates_schema

from gateway.config.fields import (
    Listed,
    Named,
    Section,
    Value,
    Values,
    choice,
    choice_of,
    duration,
    flag,
    name,
    network,
    path,
    share,
    size,
    text,
    url,
    whole,
)
from gateway.config.suggest import suggestion
from gateway.mqtt.model import Version
from gateway.notify.problems import Kind as ProblemKind
from schemas.instrument import Kind
from schemas.topics import Mode, TopicError, Topics

PORT = whole(0, 65_535)
KINDS = choice(**{kind.value: kind for kind in Kind if kind is not Kind.UNKNOWN})
PROBLEMS = choice_of({kind.value: kind for kind in ProblemKind})
BETWEEN_URLS = re.compile(r"[\s,]+(?=[A-Za-z][A-Za-z0-9+.-]*://)")
UNPAIRED = frozenset({Kind.EQUITY, Kind.INDEX})


class SettingsSchema(Schema):
    """A section; a key that it does not know is an error with the nearest one that it does."""

    error_messages = {"type": "is a section with settings below it"}  # noqa: RUF012  # marshmallow's own declaration

    class Meta:
        """Unknown keys are named below, with a suggestion."""

        unknown = EXCLUDE

    @validates_schema(pass_original=True, skip_on_field_errors=False)
    def _no_unknown_keys(self, _: Any, original: Any, **__: Any) -> None:
        unknown = [key for key in original if key not in self.fields] if isinstance(original, Mapping) else []
        if unknown:
            raise ValidationError({key: [f"is not a setting{suggestion(key, self.fields)}"] for key in unknown})


class PublicSchema(SettingsSchema):
    """Where webhooks arrive."""

    host = Value(text, load_default="127.0.0.1")
    port = Value(PORT, load_default=8080)


class PrivateSchema(SettingsSchema):
    """Where the API, the console, metrics and health are."""

    host = Value(text, load_default="127.0.0.1")
    port = Value(PORT, load_default=8081)
    hosts = Values(text, load_default=())


class HttpSchema(SettingsSchema):
    """The two listeners."""

    public = Section(PublicSchema)
    private = Section(PrivateSchema)
    trusted_proxies = Values(network, load_default=())
    allow_from = Values(network, load_default=())
    max_body = Value(size, load_default=262_144)


class JournalSchema(SettingsSchema):
    """What is kept, and for how long."""

    path = Value(path, load_default=None)
    max_size = Value(size, load_default=1 << 30)
    max_age = Value(duration, load_default=30 * 86_400.0)
    share = Value(share, load_default=0.5)


class TlsSchema(SettingsSchema):
    """TLS to an external broker."""

    enabled = Value(flag, load_default=False)
    ca = Value(path, load_default=None)
    cert = Value(path, load_default=None)
    key = Value(path, load_default=None)

    @validates_schema
    def _whole_pair(self, data: Mapping[str, Any], **_: Any) -> None:
        if (data["cert"] is None) != (data["key"] is None):
            raise ValidationError("needs cert and key together")


class BrokerSchema(SettingsSchema):
    """The embedded broker, or how to reach one."""

    kind = Value(choice(embedded="embedded", external="external"), load_default="embedded")
    host = Value(text, load_default="127.0.0.1")
    port = Value(PORT, load_default=1883)
    username = Value(name, load_default="gateway")
    password_file = Value(path, load_default=None)
    tls = Section(TlsSchema)
    version = Value(choice_of({"5": Version.V5, "3.1.1": Version.V311}), load_default=None)
    window = Value(whole(1, 1000), load_default=16)
    max_connections = Value(whole(2, 10_000), load_default=None)

    @validates_schema
    def _embedded_is_plain(self, data: Mapping[str, Any], **_: Any) -> None:
        if data["kind"] == "external":
            return
        if data["version"] is Version.V5:
            raise ValidationError("is 3.1.1 for the embedded broker, which speaks no other", "version")
        if data["tls"]["enabled"]:
            raise ValidationError("is for an external broker: the embedded one has no TLS", "tls")


class TopicsSchema(SettingsSchema):
    """The two topic trees."""

    root = Value(text, load_default="signals")
    namespace = Value(text, load_default="hbot")

    @validates_schema
    def _trees(self, data: Mapping[str, Any], **_: Any) -> None:
        try:
            Topics(root=data["root"], namespace=data["namespace"])
        except TopicError as error:
            raise ValidationError(f"do not fit: {error}") from None


class InstrumentSchema(SettingsSchema):
    """An instrument that is given, not read from an alert."""

    venue = Value(text, load_default=None)
    base = Value(name, required=True)
    quote = Value(name, load_default=None)
    settle = Value(name, load_default=None)
    kind = Value(KINDS, required=True)
    expiry = Value(text, load_default=None)

    @validates_schema
    def _whole(self, data: Mapping[str, Any], **_: Any) -> None:
        kind, expiry = data["kind"], data["expiry"]
        if data["quote"] is None and kind not in UNPAIRED:
            raise ValidationError("is missing", "quote")
        if kind is Kind.FUTURE and not (expiry and len(expiry) == len("YYMMDD") and expiry.isdecimal()):
            raise ValidationError("is the day of a future's end as YYMMDD, such as 261225", "expiry")
        if kind is not Kind.FUTURE and expiry is not None:
            raise ValidationError("is for kind future only", "expiry")
        if data["settle"] is not None and kind not in {Kind.PERPETUAL, Kind.FUTURE}:
            raise ValidationError("is for perpetuals and futures only", "settle")


class TtlSchema(SettingsSchema):
    """How long a signal is true, by what it does."""

    open = Value(duration, load_default=60.0)
    reduce = Value(duration, load_default=900.0)
    alert = Value(duration, load_default=300.0)


class SecretInSchema(SettingsSchema):
    """Where a source's secret may come besides the path."""

    query = Value(flag, load_default=False)
    body = Value(text, load_default=None)


class HummingbotSchema(SettingsSchema):
    """Stock Hummingbot bots that get a source's signals as external events."""

    bots = Values(name, load_default=())
    event = Value(text, load_default=None)

    @validates_schema
    def _whole(self, data: Mapping[str, Any], **_: Any) -> None:
        if bool(data["bots"]) != bool(data["event"]):
            raise ValidationError("needs bots and event together")
        try:
            for bot in data["bots"]:
                Topics().external_event(bot, data["event"])
        except TopicError as error:
            raise ValidationError(f"does not fit: {error}", "event") from None


class SourceSchema(SettingsSchema):
    """One source of signals."""

    mode = Value(choice(**{mode.value: mode for mode in Mode}), load_default=Mode.LIVE)
    instrument = Section(InstrumentSchema, optional=True)
    symbols = Named(InstrumentSchema, read=text)
    ttl = Section(TtlSchema)
    max_age = Value(duration, load_default=60.0)
    duplicates = Value(choice(drop=True, flag=False), load_default=True)
    secret_in = Section(SecretInSchema)
    secret_keys = Values(text, load_default=())
    bots = Values(name, load_default=())
    hummingbot = Section(HummingbotSchema)
    limit = Value(whole(1, 1_000_000), load_default=None)
    expect_every = Value(duration, load_default=None)


class MosquittoSchema(SettingsSchema):
    """The files of an external Mosquitto that bots' logins are written to."""

    password_file = Value(path, required=True)
    acl_file = Value(path, required=True)


class CommandKeySchema(SettingsSchema):
    """What signs the commands to one bot."""

    key_file = Value(path, required=True)


class CommandsSchema(SettingsSchema):
    """Commands to bots."""

    bots = Named(CommandKeySchema)


class TargetSchema(SettingsSchema):
    """Where notifications go, and which; a URL alone is one that gets all of them."""

    url = Value(text, load_default=None)
    url_file = Value(path, load_default=None)
    kinds = Values(PROBLEMS, load_default=())
    sources = Values(name, load_default=())
    bots = Values(name, load_default=())

    @validates_schema
    def _one_url(self, data: Mapping[str, Any], **_: Any) -> None:
        if (data["url"] is None) == (data["url_file"] is None):
            raise ValidationError("needs either url or url_file")


class NotifySchema(SettingsSchema):
    """Who is told of problems, and how often."""

    targets = Listed(TargetSchema, plain="url", apart=BETWEEN_URLS)
    group_for = Value(duration, load_default=10.0)
    repeat_every = Value(duration, load_default=3600.0)
    limit = Value(whole(1, 3600), load_default=20)
    broker_away_after = Value(duration, load_default=60.0)


class LogSchema(SettingsSchema):
    """How it logs."""

    format = Value(choice(auto="auto", console="console", json="json"), load_default="auto")
    level = Value(choice(debug="debug", info="info", warning="warning", error="error"), load_default="info")


class RootSchema(SettingsSchema):
    """The whole file."""

    public_url = Value(url, load_default=None)
    http = Section(HttpSchema)
    journal = Section(JournalSchema)
    broker = Section(BrokerSchema)
    topics = Section(TopicsSchema)
    sources = Named(SourceSchema)
    mosquitto = Section(MosquittoSchema, optional=True)
    commands = Section(CommandsSchema)
    notify = Section(NotifySchema)
    log = Section(LogSchema)

    @validates_schema
    def _ports_differ(self, data: Mapping[str, Any], **_: Any) -> None:
        public, private, broker = data["http"]["public"], data["http"]["private"], data["broker"]
        if private["port"] and private["port"] == public["port"]:
            raise ValidationError(
                {"http": {"private": {"port": [f"is another one than http.public.port, not {public['port']}"]}}}
            )
        taken = {public["port"], private["port"]} - {0}
        if broker["kind"] == "embedded" and broker["port"] in taken:
            raise ValidationError({"broker": {"port": [f"is another one than those of http, not {broker['port']}"]}})
