"""The Caddyfile in a real Caddy, in front of a real gateway: webhooks through HTTPS, and nothing else."""

from __future__ import annotations

import http.client
import json
import os
import ssl
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.brokers import free_port, require
from tests.deploy.compose import FOLDER
from tests.docs.markdown import blocks, page
from tests.e2e.deployment import Deployment, until

ALERT = '{"ticker": "BINANCE:BTCUSDT", "action": "buy", "contracts": "0.1", "price": "97250.5"}'

FULL_DUPLEX = "\t\tenable_full_duplex # each of many lines is answered before the next one is sent\n"
"""What Debian's Caddy does not have yet; deploy/compose/check tries it."""


class Caddy:
    """Caddy with the deployed Caddyfile, on free ports."""

    def __init__(self, folder: Path, *, gateway: int) -> None:
        self._program = require("caddy", package="caddy")
        self.https, self.http = free_port(), free_port()
        self._file, self._log = folder / "Caddyfile", folder / "caddy.log"
        text = (FOLDER / "Caddyfile").read_text()
        for before, after in {
            FULL_DUPLEX: FULL_DUPLEX if self.version >= (2, 8) else "",
            "gateway:8080": f"127.0.0.1:{gateway}",
            "\tadmin off\n": f"\tadmin off\n\thttp_port {self.http}\n\thttps_port {self.https}\n",
        }.items():
            assert before in text
            text = text.replace(before, after)
        self._file.write_text(text)
        home = {"HOME": str(folder), "XDG_DATA_HOME": str(folder / "data"), "XDG_CONFIG_HOME": str(folder / "config")}
        self._environment = os.environ | home | {"DOMAIN": "localhost"}
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def version(self) -> tuple[int, ...]:
        said = subprocess.run([self._program, "version"], capture_output=True, text=True, check=True).stdout
        return tuple(map(int, said.removeprefix("v").split()[0].split(".")[:2]))

    def _words(self, command: str) -> list[str]:
        return [self._program, command, "--config", str(self._file), "--adapter", "caddyfile"]

    def validate(self) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            self._words("validate"), env=self._environment, capture_output=True, text=True, check=False
        )

    def start(self) -> None:
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(self._words("run"), stderr=log, env=self._environment)
        until(self._answers)

    def _answers(self) -> bool:
        assert self._process is not None
        assert self._process.poll() is None, self.said
        try:
            return self.ask("GET", "/")[0] == 404
        except OSError:
            return False

    @property
    def said(self) -> str:
        """All that it logged."""
        return self._log.read_text()

    def connection(self) -> http.client.HTTPSConnection:
        """A connection that takes the certificate of Caddy's own authority."""
        unchecked = ssl.create_default_context()
        unchecked.check_hostname, unchecked.verify_mode = False, ssl.CERT_NONE
        return http.client.HTTPSConnection("localhost", self.https, timeout=10, context=unchecked)

    def ask(self, method: str, path: str, body: str | None = None, **headers: str) -> tuple[int, str]:
        """Ask for something through HTTPS."""
        connection = self.connection()
        try:
            connection.request(method, path, body=body, headers=headers)
            answer = connection.getresponse()
            return answer.status, answer.read().decode()
        finally:
            connection.close()

    def close(self) -> None:
        if self._process is not None:
            self._process.terminate()
            self._process.wait(timeout=10)


MODELS = {"type": "prediction", "models": ["btc-lstm"], "interval": "5m"}
PROXIED = {"SIGNAL_GATEWAY_HTTP__TRUSTED_PROXIES": "127.0.0.1/32"}


@contextmanager
def running(folder: Path, **variables: str) -> Iterator[tuple[Caddy, Deployment]]:
    """A Caddy in front of a gateway with these variables."""
    for part in ("caddy", "gateway"):
        (folder / part).mkdir()
    with pytest.MonkeyPatch.context() as environment, ExitStack() as stack:
        for name, value in (PROXIED | variables).items():
            environment.setenv(name, value)
        gateway = Deployment(folder / "gateway", sources={"tradingview": {}, "ml": MODELS}, external=False)
        stack.callback(gateway.close)
        gateway.start()
        caddy = Caddy(folder / "caddy", gateway=gateway.public)
        stack.callback(caddy.close)
        caddy.start()
        yield caddy, gateway


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Caddy, Deployment]]:
    """The two, which only loopback may use."""
    with running(tmp_path_factory.mktemp("both"), SIGNAL_GATEWAY_HTTP__ALLOW_FROM="127.0.0.1") as pair:
        yield pair


@pytest.fixture
def caddy(both: tuple[Caddy, Deployment]) -> Caddy:
    return both[0]


@pytest.fixture
def gateway(both: tuple[Caddy, Deployment]) -> Deployment:
    return both[1]


def webhook(gateway: Deployment) -> str:
    return urlsplit(gateway.webhooks["tradingview"]).path


def test_caddy_finds_nothing_wrong_with_the_file(tmp_path: Path) -> None:
    done = Caddy(tmp_path, gateway=8080).validate()

    assert done.returncode == 0, done.stderr
    assert "Valid configuration" in done.stdout + done.stderr


def test_caddy_finds_nothing_wrong_with_the_file_that_the_documentation_shows(tmp_path: Path) -> None:
    [shown] = [block.text for block in blocks(page("docs/expose.md")) if "reverse_proxy" in block.text]
    (tmp_path / "Caddyfile").write_text(shown)
    words = [require("caddy", package="caddy"), "adapt", "--config", str(tmp_path / "Caddyfile")]
    done = subprocess.run(words, capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stderr
    assert "request>uri" in json.loads(done.stdout)["logging"]["logs"]["default"]["encoder"]["fields"]


def test_a_webhook_is_accepted_through_https(caddy: Caddy, gateway: Deployment) -> None:
    status, answer = caddy.ask("POST", webhook(gateway), ALERT)

    assert status == 202, answer
    assert gateway.api(f"signals/{json.loads(answer)['id']}")["source"] == "tradingview"


def test_what_is_private_is_not_there(caddy: Caddy) -> None:
    for private in ("/", "/livez", "/readyz", "/metrics", "/contracts", "/api/v1/status", "/v1", "/hooks"):
        assert caddy.ask("GET", private) == (404, ""), private


DODGES = ("/hooks/../", "/hooks/%2e%2e/", "//", "/hooks/..%2f", "/HOOKS/../", "/hooks/..\\", "/hooks/%252e%252e/",
          "/v1/signals/..;/..;/", "http://gateway:8081/")  # fmt: skip


@pytest.mark.parametrize("host", ["localhost", "gateway:8081", "127.0.0.1:8081"])
def test_no_spelling_of_a_path_or_name_leads_to_the_private_listener(caddy: Caddy, host: str) -> None:
    """Metrics need no key, and the API answers 401 without one: neither is ever seen."""
    for dodge in DODGES:
        for private in ("metrics", "api/v1/status"):
            status, said = caddy.ask("GET", dodge + private, Host=host)

            assert status in {200, 404}, (dodge, private)
            assert "signal_gateway_" not in said, dodge


def test_programs_reach_what_they_post_to(caddy: Caddy, gateway: Deployment) -> None:
    headers = {"Authorization": f"Bearer {webhook(gateway).rpartition('/')[2]}"}
    trade = '{"action": "buy", "instrument": {"raw": "BTC-USDT"}}'

    assert caddy.ask("POST", "/v1/signals/tradingview", trade, **headers)[0] == 202
    assert caddy.ask("POST", "/v1/predictions/ml", "{}")[0] == 401


def test_a_body_beyond_the_gateways_limit_is_refused_and_none_much_beyond_it_reaches_it(
    caddy: Caddy, gateway: Deployment
) -> None:
    assert caddy.ask("POST", webhook(gateway), "x" * 300_000)[0] == 413
    assert caddy.ask("POST", webhook(gateway), "x" * 2_000_000)[0] in {413, 502}
    assert caddy.ask("POST", webhook(gateway), "x" * 200_000)[0] not in {413, 502}


def test_http_leads_to_https(caddy: Caddy) -> None:
    connection = http.client.HTTPConnection("localhost", caddy.http, timeout=10)
    connection.request("GET", "/hooks/tradingview/x")
    answer = connection.getresponse()
    connection.close()

    assert answer.status == 308
    assert (answer.getheader("Location") or "").startswith("https://localhost")


def test_the_gateway_hears_who_called_and_not_who_the_caller_says_it_is(
    caddy: Caddy, gateway: Deployment, tmp_path: Path
) -> None:
    said = {"X-Forwarded-For": "192.0.2.7"}

    assert caddy.ask("POST", webhook(gateway), ALERT, **said)[0] in {200, 202}
    with running(tmp_path, SIGNAL_GATEWAY_HTTP__ALLOW_FROM="192.0.2.7") as (other, choosy):
        assert other.ask("POST", webhook(choosy), ALERT, **said)[0] == 401


def test_no_log_has_the_token_not_even_while_the_gateway_is_away(tmp_path: Path) -> None:
    with running(tmp_path) as (caddy, gateway):
        caddy.ask("POST", webhook(gateway), ALERT)
        gateway.stop_gateway()
        away = caddy.ask("POST", webhook(gateway), ALERT, Authorization="Bearer a-secret-of-a-program")
        until(lambda: '"logger":"http.log.error' in caddy.said)

        assert away[0] == 502
        assert webhook(gateway).rpartition("/")[2] not in caddy.said
        assert "a-secret-of-a-program" not in caddy.said
