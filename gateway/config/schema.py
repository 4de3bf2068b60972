"""What may stand in the configuration: every section, its settings, their defaults."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from marshmallow import ValidationError, validates_schema

from gateway.config.fields import (
    Listed,
    Named,
    Section,
    Value,
    Values,
    api_url,
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
from gateway.config.section import SettingsSchema
from gateway.config.source_schema import SourceSchema
from gateway.mqtt.model import Version
from gateway.notify.problems import Kind as ProblemKind
from schemas.topics import TopicError, Topics

PORT = whole(0, 65_535)
PROBLEMS = choice_of({kind.value: kind for kind in ProblemKind})
BETWEEN_URLS = re.compile(r"[\s,]+(?=[A-Za-z][A-Za-z0-9+.-]*://)")


class PublicSchema(SettingsSchema):
    """Where webhooks arrive."""

    host = Value(text, load_default="127.0.0.1")
    port = Value(PORT, load_default=8080)


class PrivateSchema(SettingsSchema):
    """Where the API, metrics and health are."""

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


class MosquittoSchema(SettingsSchema):
    """The files of an external Mosquitto that bots' logins are written to."""

    password_file = Value(path, required=True)
    acl_file = Value(path, required=True)


class EmqxSchema(SettingsSchema):
    """The REST API of an external EMQX that bots' logins are put into."""

    url = Value(api_url, required=True)
    key_file = Value(path, required=True)
    ca = Value(path, load_default=None)


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
    emqx = Section(EmqxSchema, optional=True)
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
