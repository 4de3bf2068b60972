"""All settings, composed of what each part takes for itself."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from gateway.config.folder import Folder
from gateway.intake.source import Source
from gateway.journal.model import JournalSettings
from gateway.mqtt.embedded import EmbeddedSettings
from gateway.mqtt.model import LinkSettings
from gateway.telemetry.logs import LogSettings
from gateway.web.settings import ListenSettings, PrivateSettings, PublicSettings
from schemas.topics import Topics

_ANYWHERE = {"0.0.0.0": "127.0.0.1", "::": "::1", "*": "127.0.0.1"}  # noqa: S104  # recognised, not bound


@dataclass(frozen=True, slots=True)
class MosquittoFiles:
    """An external Mosquitto's files; what others wrote into them stays."""

    password_file: str
    acl_file: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """The configuration of one gateway.

    Args:
        folder: where its files are.
        public_url: how the world reaches the public listener, without a slash at the end; None while it cannot.
        public: where the public listener is.
        private: where the private listener is.
        webhooks: how the public listener takes requests.
        api: how the private listener does.
        embedded: the broker to run; None for an external one.
        link: how the gateway reaches its broker; without a last will, which the running instance adds.
        limits: requests per minute of the sources that have a limit.
        mosquitto: the files of an external Mosquitto that the bots' logins are written to.
    """

    folder: Folder
    public_url: str | None
    public: ListenSettings
    private: ListenSettings
    webhooks: PublicSettings
    api: PrivateSettings
    journal: JournalSettings
    embedded: EmbeddedSettings | None
    link: LinkSettings
    topics: Topics
    sources: Mapping[str, Source]
    limits: Mapping[str, int] = field(default_factory=dict)
    mosquitto: MosquittoFiles | None = None
    log: LogSettings = field(default_factory=LogSettings)

    @property
    def public_address(self) -> str:
        """The beginning of webhook URLs: ``public_url``, or how this machine alone reaches the listener."""
        return self.public_url or f"http://{spelled(reachable(self.public.host), self.public.port)}"

    @property
    def api_address(self) -> str:
        """How this machine reaches the private API."""
        return f"http://{spelled(reachable(self.private.host), self.private.port)}"

    @property
    def broker_address(self) -> str:
        """How this machine reaches the broker."""
        return spelled(self.link.host, self.link.port)


def reachable(host: str) -> str:
    """How this machine reaches what listens on a host, which may stand for all addresses."""
    return _ANYWHERE.get(host, host)


def spelled(host: str, port: int) -> str:
    """``host:port``, with brackets around an IPv6 address."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
