"""All settings, composed of what each part takes for itself."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from gateway.config.fields import Network
from gateway.config.folder import Folder
from gateway.intake.source import Source
from gateway.journal.model import JournalSettings
from gateway.mqtt.embedded import EmbeddedSettings
from gateway.mqtt.model import LinkSettings
from gateway.notify.settings import NotifySettings
from gateway.telemetry.logs import LogSettings
from schemas.signature import CommandKey
from schemas.topics import Topics

_ANYWHERE = {"0.0.0.0": "127.0.0.1", "::": "::1", "*": "127.0.0.1"}  # noqa: S104  # recognised, not bound


@dataclass(frozen=True, slots=True)
class MosquittoFiles:
    """An external Mosquitto's files; what others wrote into them stays."""

    password_file: str
    acl_file: str


@dataclass(frozen=True, slots=True, kw_only=True)
class EmqxSettings:
    """An external EMQX, which is told of logins by its REST API.

    Args:
        url: of the API, without a slash at the end: ``http://127.0.0.1:18083``.
        key_file: holds ``KEY:SECRET``, a key with the role administrator.
        ca: the authorities to trust; this machine's unless given.
    """

    url: str
    key_file: Path
    ca: Path | None = None


@dataclass(frozen=True, slots=True)
class Address:
    """Where something listens."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    @property
    def local(self) -> Address:
        """How this machine reaches it, also where the host stands for all addresses."""
        return Address(_ANYWHERE.get(self.host, self.host), self.port)


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpSettings:
    """The two listeners.

    Args:
        public: where webhooks arrive.
        private: where the API, metrics and health are.
        trusted_proxies: whose X-Forwarded-For is believed.
        allow_from: who may use the public listener; empty for everyone.
        max_body: bytes of a webhook's body, after decompression.
        hosts: Host names that the private listener answers besides the loopback's and its own address.
    """

    public: Address
    private: Address
    trusted_proxies: tuple[Network, ...] = ()
    allow_from: tuple[Network, ...] = ()
    max_body: int = 262_144
    hosts: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """The configuration of one gateway.

    Args:
        folder: where its files are.
        public_url: how the world reaches the public listener, without a slash at the end; None while it cannot.
        embedded: the broker to run; None for an external one.
        link: how the gateway reaches its broker; without a last will, which the running instance adds.
        limits: requests per minute of the sources that have a limit.
        expected: by source, the seconds within which a signal should come, where that is known.
        secret_files: what holds a secret and is not in the data folder.
        tls_files: what TLS to an external broker reads.
        mosquitto: the files of an external Mosquitto that the bots' logins are written to.
        emqx: the external EMQX that the bots' logins are put into.
        command_keys: by bot, the key that signs its commands; the others get theirs unsigned.
    """

    folder: Folder
    public_url: str | None
    http: HttpSettings
    journal: JournalSettings
    embedded: EmbeddedSettings | None
    link: LinkSettings
    topics: Topics
    sources: Mapping[str, Source]
    limits: Mapping[str, int] = field(default_factory=dict)
    expected: Mapping[str, float] = field(default_factory=dict)
    secret_files: tuple[Path, ...] = ()
    tls_files: tuple[Path, ...] = ()
    mosquitto: MosquittoFiles | None = None
    emqx: EmqxSettings | None = None
    command_keys: Mapping[str, CommandKey] = field(default_factory=dict)
    notify: NotifySettings = field(default_factory=NotifySettings)
    log: LogSettings = field(default_factory=LogSettings)

    @property
    def public_address(self) -> str:
        """The beginning of webhook URLs: ``public_url``, or how this machine alone reaches the listener."""
        return self.public_url or f"http://{self.http.public.local}"

    @property
    def api_address(self) -> str:
        """How this machine reaches the private API."""
        return f"http://{self.http.private.local}"

    @property
    def broker_address(self) -> str:
        """How this machine reaches the broker."""
        return str(Address(self.link.host, self.link.port))

    @property
    def stock_bots(self) -> frozenset[str]:
        """The stock Hummingbot bots that any source names."""
        return frozenset(bot for source in self.sources.values() for bot, _ in source.stock_bots)
