"""From sections that are right to the settings of each part."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from gateway.config.command_keys import read_command_key
from gateway.config.folder import Folder
from gateway.config.notify import notify_settings
from gateway.config.settings import Address, EmqxSettings, HttpSettings, MosquittoFiles, Settings
from gateway.config.store import read_secret
from gateway.config.tls import tls_context
from gateway.intake.source import HummingbotEvent, Predictions, Source, Ttl
from gateway.journal.model import JournalSettings
from gateway.mqtt.embedded import EmbeddedSettings
from gateway.mqtt.model import LinkSettings, Version
from gateway.telemetry.logs import LogSettings
from schemas.instrument import Instrument, Kind
from schemas.topics import Topics


def build(sections: Mapping[str, Any], folder: Folder) -> Settings:
    """Compose the settings."""
    topics = Topics(**sections["topics"])
    broker, mosquitto, sources = sections["broker"], sections["mosquitto"], sections["sources"]
    return Settings(
        folder=folder,
        public_url=sections["public_url"],
        http=_http(sections["http"]),
        journal=_journal(sections["journal"], folder),
        embedded=_embedded(broker) if broker["kind"] == "embedded" else None,
        link=_link(broker, folder, topics),
        topics=topics,
        sources={name: source(name, section) for name, section in sources.items()},
        limits={name: section["limit"] for name, section in sources.items() if section["limit"]},
        expected={name: section["expect_every"] for name, section in sources.items() if section["expect_every"]},
        secret_files=tuple(_secret_files(sections)),
        tls_files=tuple(broker["tls"][name] for name in ("ca", "cert", "key") if broker["tls"][name]),
        mosquitto=MosquittoFiles(mosquitto["password_file"], mosquitto["acl_file"]) if mosquitto else None,
        emqx=EmqxSettings(**sections["emqx"]) if sections["emqx"] else None,
        command_keys={
            bot: read_command_key(section["key_file"]) for bot, section in sections["commands"]["bots"].items()
        },
        notify=notify_settings(sections["notify"]),
        log=LogSettings(**sections["log"]),
    )


def _secret_files(sections: Mapping[str, Any]) -> Iterator[Path]:
    files = [sections["broker"]["password_file"], *(target["url_file"] for target in sections["notify"]["targets"])]
    files += [section["key_file"] for section in sections["commands"]["bots"].values()]
    files += [sections["emqx"]["key_file"]] if sections["emqx"] else []
    return (file for file in files if file is not None)


def _http(section: Mapping[str, Any]) -> HttpSettings:
    public, private = section["public"], section["private"]
    rest = {name: section[name] for name in ("trusted_proxies", "allow_from", "max_body")}
    return HttpSettings(
        public=Address(public["host"], public["port"]),
        private=Address(private["host"], private["port"]),
        hosts=private["hosts"],
        **rest,
    )


def _journal(section: Mapping[str, Any], folder: Folder) -> JournalSettings:
    return JournalSettings(
        path=str(section["path"] or folder.journal),
        max_bytes=section["max_size"],
        max_age=section["max_age"],
        share=section["share"],
    )


def _embedded(section: Mapping[str, Any]) -> EmbeddedSettings:
    given = {name: section[name] for name in ("host", "port", "max_connections") if section[name] is not None}
    return EmbeddedSettings(**given, owner=section["username"])


def _link(section: Mapping[str, Any], folder: Folder, topics: Topics) -> LinkSettings:
    embedded = section["kind"] == "embedded"
    file = section["password_file"] or (folder.broker_password if embedded else None)
    return LinkSettings(
        host=Address(section["host"], section["port"]).local.host,
        port=section["port"],
        client_id=f"{topics.root.replace('/', '.')}.gateway",
        username=section["username"] if file else None,
        password=read_secret(file) if file else None,
        tls=tls_context(section["tls"]) if section["tls"]["enabled"] else None,
        version=section["version"] or (Version.V311 if embedded else Version.V5),
        window=section["window"],
    )


def source(name: str, section: Mapping[str, Any]) -> Source:
    """One source of signals."""
    stock = section["hummingbot"]
    fixed = section["instrument"]
    return Source(
        name=name,
        mode=section["mode"],
        instrument=instrument(fixed["base"].upper(), fixed) if fixed else None,
        symbols={raw.upper(): instrument(raw, symbol) for raw, symbol in section["symbols"].items()},
        ttl=Ttl(**section["ttl"]),
        max_age=section["max_age"],
        drop_duplicates=section["duplicates"],
        query_key=section["secret_in"]["query"],
        body_key=section["secret_in"]["body"],
        secret_keys=section["secret_keys"],
        bots=section["bots"],
        hummingbot=(HummingbotEvent(bots=stock["bots"], event=stock["event"]),) if stock["bots"] else (),
        predictions=_predictions(section) if section["type"] == "prediction" else None,
    )


def _predictions(section: Mapping[str, Any]) -> Predictions:
    return Predictions(
        models=section["models"],
        interval=section["interval"],
        classes=section["classes"],
        ml_signals=section["hummingbot"]["ml_signals"],
    )


def instrument(raw: str, section: Mapping[str, Any]) -> Instrument:
    """An instrument that the configuration gives; a derivative settles in its quote unless it says otherwise."""
    kind, base, quote = section["kind"], section["base"].upper(), (section["quote"] or "").upper()
    settle = (section["settle"] or quote).upper() if kind in {Kind.PERPETUAL, Kind.FUTURE} else None
    market = f"{base}/{quote}:{settle}" if settle else f"{base}/{quote}"
    listed = kind in {Kind.SPOT, Kind.PERPETUAL, Kind.FUTURE}
    return Instrument(
        raw=raw,
        venue=section["venue"].upper() if section["venue"] else None,
        base=base,
        quote=quote or None,
        settle=settle,
        kind=kind,
        pair=f"{base}-{quote}" if quote else None,
        ccxt=(f"{market}-{section['expiry']}" if kind is Kind.FUTURE else market) if listed else None,
    )
