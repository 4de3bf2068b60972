"""Where a pipeline's predictions go, who sends them, and how long each is tried."""

from __future__ import annotations

import ssl
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import SplitResult, quote, urlsplit

from bot_plugin.errors import SettingsError
from bot_plugin.predictions.signature import secret_bytes
from bot_plugin.settings_files import PREFIX, read_environment
from bot_plugin.tls import tls_context

VARIABLES = {
    "URL": "url",
    "SOURCE": "source",
    "KEY": "key",
    "SECRET": "secret",
    "CA": "ca",
    "MODEL": "model",
    "MODEL_VERSION": "model_version",
}
"""Variables without their prefix, and the settings that they are."""

_PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True, slots=True, kw_only=True)
class PredictionSettings:
    """A prediction client's settings.

    Args:
        url: the gateway's public address, ``https://signals.example.com``; the certificate is checked.
        source: the source of the configuration whose predictions these are.
        key: the source's key, sent with each request; or else
        secret: the source's secret, ``whsec_...``, with which each request is signed, and which is never sent.
        ca: a file with the certificate authorities to trust; None for the system's.
        model: the model's name, for predictions that name none.
        model_version: its version.
        within: seconds for which a prediction is tried, unless it runs out before.
        timeout: seconds without a byte from the gateway after which a request is given up, and sent again.
        queue: predictions that may wait or be under way; who sends more waits for room.
        batch: predictions of one request, at most.
        backoff: seconds of the first pause after a failure, and of the longest; each is drawn from 0 to that.
        close_within: seconds that closing waits for what is under way.
    """

    url: str = "http://127.0.0.1:8080"
    source: str = ""
    key: str | None = field(default=None, repr=False)
    secret: str | None = field(default=None, repr=False)
    ca: str | None = None
    model: str | None = None
    model_version: str | None = None
    within: float = 30.0
    timeout: float = 10.0
    queue: int = 10_000
    batch: int = 1_000
    backoff: tuple[float, float] = (0.25, 15.0)
    close_within: float = 10.0

    def __post_init__(self) -> None:
        """Refuse what cannot work.

        Raises:
            SettingsError: with every problem.
        """
        if problems := [*self._address_problems(), *self._credential_problems(), *self._amount_problems()]:
            raise SettingsError(problems)

    @classmethod
    def from_env(
        cls, environ: Mapping[str, str] | None = None, *, env_file: str | Path | None = None
    ) -> PredictionSettings:
        """Read ``SIGNAL_GATEWAY_*``; variables of the environment win over those of the file.

        Args:
            environ: the environment; the process's own where None.
            env_file: a file of ``KEY=VALUE`` lines; ``SIGNAL_GATEWAY_ENV_FILE`` names one too.

        Raises:
            SettingsError: with every problem.
        """
        values, origin = read_environment(environ, env_file)
        given = {setting: values.get(f"{PREFIX}{variable}") for variable, setting in VARIABLES.items()}
        try:
            return cls(**{setting: value for setting, value in given.items() if value})  # type: ignore[arg-type]
        except SettingsError as error:
            raise SettingsError(error.problems, origin=origin) from None

    @property
    def host(self) -> str:
        """The name to connect to, and to find in the certificate."""
        return self._parts.hostname or ""

    @property
    def port(self) -> int:
        """The port to connect to."""
        return self._parts.port or _PORTS[self._parts.scheme]

    @property
    def target(self) -> str:
        """The path of a request."""
        return f"{self._parts.path.rstrip('/')}/v1/predictions/{quote(self.source, safe='')}"

    @property
    def authority(self) -> str:
        """The host as a request names it."""
        return self._parts.netloc.rpartition("@")[2]

    def tls(self) -> ssl.SSLContext | None:
        """A context that checks the gateway's certificate; None for ``http``.

        Raises:
            SettingsError: the file of authorities cannot be used.
        """
        return tls_context(ca=self.ca, cert=None, key=None) if self._parts.scheme == "https" else None

    @property
    def _parts(self) -> SplitResult:
        return urlsplit(self.url)

    def _address_problems(self) -> Iterator[str]:
        try:
            usable = self._parts.scheme in _PORTS and bool(self.host) and self._parts.port != 0
            self.host.encode("idna")
        except ValueError:  # a port that is no number, a name that nobody can have
            usable = False
        spelled = self.url.isascii() and self.url.isprintable() and " " not in self.url
        if not (usable and spelled) or self._parts.query or self._parts.fragment:
            yield f"url is the gateway's address, such as https://signals.example.com, not {self.url[:80]!r}"
        elif self._parts.username is not None:
            yield "url has a user or password in it: the key and the secret are settings of their own"
        elif self.ca is not None and self._parts.scheme != "https":
            yield "there is a ca, but url does not begin with https"
        if not self.source:
            yield "source is missing: the name that the gateway's configuration has under sources:"

    def _credential_problems(self) -> Iterator[str]:
        if (self.key is None) == (self.secret is None):
            both = "there are both a key and a secret" if self.key else "there is neither a key nor a secret"
            yield f"{both}: a source's requests have its key, or are signed with its secret"
        if self.key is not None and not (self.key.isascii() and self.key.isprintable() and " " not in self.key):
            yield "key has characters that a header cannot have"
        if self.secret is not None:
            try:
                secret_bytes(self.secret)
            except ValueError as error:
                yield f"secret {error}"

    def _amount_problems(self) -> Iterator[str]:
        for name in ("within", "timeout", "queue", "batch"):
            if not getattr(self, name) > 0:
                yield f"{name} is more than 0, not {getattr(self, name)}"
