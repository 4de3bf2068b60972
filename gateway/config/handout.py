"""What a bot's owner puts into the bot: its login as the lines of each place that reads one."""

from __future__ import annotations

from dataclasses import dataclass, field

from gateway.config.settings import Settings
from gateway.mqtt.model import Version
from schemas.topics import Topics


@dataclass(frozen=True, slots=True, kw_only=True)
class Handout:
    """A bot's login, with its password."""

    bot: str
    password: str = field(repr=False)
    host: str
    port: int
    root: str
    namespace: str
    version: str
    tls: bool
    sources: tuple[str, ...] = ()

    @classmethod
    def of(cls, settings: Settings, bot: str, *, password: str, sources: tuple[str, ...] = ()) -> Handout:
        """The login of a bot at the broker that the settings name."""
        return cls(
            bot=bot,
            password=password,
            host=settings.link.host,
            port=settings.link.port,
            root=settings.topics.root,
            namespace=settings.topics.namespace,
            version="5" if settings.link.version is Version.V5 else "3.1.1",
            tls=settings.link.tls is not None,
            sources=sources,
        )

    @property
    def variables(self) -> dict[str, str]:
        """The variables that SignalListener.from_env reads."""
        lines = {
            "BOT": self.bot,
            "MQTT_HOST": self.host,
            "MQTT_PORT": str(self.port),
            "MQTT_USERNAME": self.bot,
            "MQTT_PASSWORD": self.password,
            "MQTT_TLS": str(self.tls).lower(),
            "MQTT_VERSION": self.version,
            "ROOT": self.root,
            "NAMESPACE": self.namespace,
        }
        limited = {"SOURCES": ",".join(self.sources)} if self.sources else {}
        return {f"SIGNAL_GATEWAY_{name}": value for name, value in (lines | limited).items()}

    @property
    def environment(self) -> str:
        """The variables as an environment file."""
        return "".join(f"{name}={value}\n" for name, value in self.variables.items())

    @property
    def bridge(self) -> str:
        """The lines of Hummingbot's conf_client.yml."""
        return (
            f'instance_id: "{self.bot}"\n'
            "mqtt_bridge:\n"
            f'  mqtt_host: "{self.host}"\n'
            f"  mqtt_port: {self.port}\n"
            f'  mqtt_username: "{self.bot}"\n'
            f'  mqtt_password: "{self.password}"\n'
            f'  mqtt_namespace: "{self.namespace}"\n'
            f"  mqtt_ssl: {str(self.tls).lower()}\n"
            "  mqtt_autostart: true\n"
        )

    @property
    def python(self) -> str:
        """The line of a Python program."""
        settings = {
            "bot": self.bot,
            "host": self.host,
            "port": self.port,
            "username": self.bot,
            "password": self.password,
            "mqtt_version": self.version,
        }
        settings |= {"tls": True} if self.tls else {}
        settings |= {"root": self.root} if self.root != Topics().root else {}
        settings |= {"namespace": self.namespace} if self.namespace != Topics().namespace else {}
        settings |= {"sources": self.sources} if self.sources else {}
        spelled = ", ".join(f"{name}={value!r}" for name, value in settings.items())
        return f"listener = SignalListener(PluginSettings({spelled}))"
