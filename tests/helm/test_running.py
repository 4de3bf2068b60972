"""The rendered pod, started on this machine: it answers probes, takes a webhook, and obeys as by kubectl exec."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.brokers import Mosquitto, free_port, require
from tests.e2e.deployment import until
from tests.helm.engine import CHART, Object, container, merged, render, the, values_of
from tests.helm.laid_out import LaidOut, lay_out

ALERT = b'{"ticker": "BINANCE:BTCUSDT", "action": "buy"}'
PASSWORD = "a-password-of-the-gateway"


def answer(url: str, body: bytes | None = None) -> tuple[int, Any]:
    """Status and document of what is answered; 0 where nobody answers."""
    try:
        with urllib.request.urlopen(url, body, timeout=10) as response:
            return response.status, json.loads(response.read())
    except urllib.error.HTTPError as error:
        return error.code, None
    except OSError:
        return 0, None


class Running:
    """A gateway from a rendered pod; only its ports, and where it listens, are this machine's."""

    def __init__(self, objects: list[Object], out: LaidOut, *, broker_port: int) -> None:
        self.objects = objects
        self._out = out
        self._ports = {"http": free_port(), "private": free_port(), "mqtt": broker_port}
        self.environ = {
            **out.environ,
            "SIGNAL_GATEWAY_HTTP__PUBLIC__HOST": "127.0.0.1",
            "SIGNAL_GATEWAY_HTTP__PRIVATE__HOST": "127.0.0.1",
            "SIGNAL_GATEWAY_HTTP__PUBLIC__PORT": str(self._ports["http"]),
            "SIGNAL_GATEWAY_HTTP__PRIVATE__PORT": str(self._ports["private"]),
            "SIGNAL_GATEWAY_BROKER__HOST": "127.0.0.1",
            "SIGNAL_GATEWAY_BROKER__PORT": str(broker_port),
        }
        self.log = out.root / "tmp" / "log"
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(out.command, env=self.environ, cwd=out.root, stdout=log, stderr=log)

    def url(self, port: str, path: str = "") -> str:
        return f"http://127.0.0.1:{self._ports[port]}{path}"

    def probe(self, name: str) -> int:
        """The status that a probe of the pod gets."""
        asked = container(self.objects)[name]["httpGet"]
        return answer(self.url(asked["port"], asked["path"]))[0]

    def exec(self, *command: str) -> Any:
        """Run a command in the pod, as ``kubectl exec`` does, with the pod's variables and no others."""
        done = subprocess.run(
            [*command, "--json"], env=self.environ, cwd=self._out.root, capture_output=True, timeout=60, check=False
        )
        assert done.returncode == 0, done.stderr.decode()
        return json.loads(done.stdout)

    def path(self, inside: str) -> Path:
        return self._out.path(inside)


@contextmanager
def running(values: Mapping[str, Any], folder: Path, *, broker_port: int) -> Iterator[Running]:
    """Start the pod, and end it with SIGTERM as Kubernetes does."""
    objects = render(values)
    out = lay_out(objects, folder, secrets={"broker": {"password": f"{PASSWORD}\n"}}, maps={})
    gateway = Running(objects, out, broker_port=broker_port)
    try:
        until(lambda: gateway.process.poll() is not None or gateway.probe("startupProbe") == 200)
        assert gateway.process.poll() is None, gateway.log.read_text()
        yield gateway
        gateway.process.send_signal(signal.SIGTERM)
        assert gateway.process.wait(timeout=30) == 0, gateway.log.read_text()
    finally:
        gateway.process.kill()
        gateway.process.wait()


EXTERNAL = merged(
    values_of(CHART / "ci" / "minimal-values.yaml"), {"broker": {"host": "127.0.0.1", "tls": {"enabled": False}}}
)
EMBEDDED = values_of(CHART / "ci" / "embedded-values.yaml")


@pytest.fixture
def alone(tmp_path: Path) -> Iterator[Running]:
    """The gateway, with the broker of its values away."""
    with running(EXTERNAL, tmp_path, broker_port=free_port()) as gateway:
        yield gateway


def test_without_its_broker_the_pod_is_ready_and_takes_alerts(alone: Running) -> None:
    """A broker outage neither restarts the pod nor takes it from its Service: what comes is stored and waits."""
    _, state = answer(alone.url("private", "/readyz"))
    webhook = alone.exec("signal-gateway", "keys", "rotate", "tradingview")["webhook"]
    status, taken = answer(webhook, ALERT)

    assert state["broker"] == "away"
    assert {name: alone.probe(name) for name in ("livenessProbe", "readinessProbe")} == {
        "livenessProbe": 200,
        "readinessProbe": 200,
    }
    assert (status, taken["status"]) == (202, "accepted")
    assert [one["id"] for one in alone.exec("signal-gateway", "signals")["signals"]] == [taken["id"]]


def test_no_token_is_in_the_pods_log(alone: Running) -> None:
    """The pod makes its secrets, and its log, which others read, names none; a token is made by hand."""
    webhook = alone.exec("signal-gateway", "keys", "rotate", "tradingview")["webhook"]
    answer(webhook, ALERT)
    secrets = [webhook.rpartition("/")[2], PASSWORD, alone.path("/data/secrets/api.token").read_text().strip()]
    log = alone.log.read_text()

    assert "sg_" not in log
    assert not [secret for secret in secrets if secret in log]


def test_the_pod_writes_on_its_volumes_alone(alone: Running) -> None:
    """The root is read-only: what appears is below /data and /tmp, and the configuration stays as it was mounted."""
    before = alone.path("/etc/signal-gateway/signal-gateway.yml").read_text()
    alone.exec("signal-gateway", "keys", "rotate", "tradingview")
    places = {path.name for path in alone.path("/").iterdir()}

    assert places == {"data", "etc", "secrets", "tmp"}
    assert alone.path("/etc/signal-gateway/signal-gateway.yml").read_text() == before
    assert [path.name for path in alone.path("/secrets").rglob("*") if path.is_file()] == ["password"]


def test_helm_test_is_content_with_a_gateway_and_only_then(alone: Running) -> None:
    """The program of ``helm test`` ends with 0 beside this gateway, and with 1 where none answers."""
    test = the(alone.objects, "Pod")["spec"]["containers"][0]
    here = {"PATH": alone.environ["PATH"], "PUBLIC": alone.url("http"), "PRIVATE": alone.url("private")}
    assert {variable["name"] for variable in test["env"]} == {"PUBLIC", "PRIVATE"}

    there = subprocess.run(test["command"], env=here, capture_output=True, text=True, timeout=60, check=False)
    nobody = {**here, "PUBLIC": f"http://127.0.0.1:{free_port()}"}
    gone = subprocess.run(test["command"], env=nobody, capture_output=True, text=True, timeout=60, check=False)

    assert (there.returncode, there.stdout.count("as it should")) == (0, 4), there.stdout + there.stderr
    assert gone.returncode == 1


def test_the_login_in_the_secret_opens_the_broker(tmp_path: Path) -> None:
    """A broker that lets in nobody without a password lets the gateway in, by the password in the Secret."""
    folder = tmp_path / "broker"
    folder.mkdir()
    broker = Mosquitto(folder, users={"gateway": PASSWORD})
    broker.start()
    try:
        with running(EXTERNAL, tmp_path / "pod", broker_port=broker.port) as gateway:
            until(lambda: answer(gateway.url("private", "/readyz"))[1]["broker"] == "connected")
    finally:
        broker.stop()


def test_a_trial_with_the_embedded_broker_gives_bots_their_logins(tmp_path: Path) -> None:
    """With the embedded broker ``bots add`` in the pod makes a login that the running broker knows at once."""
    subscriber = require("mosquitto_sub", package="mosquitto-clients")
    with running(EMBEDDED, tmp_path, broker_port=free_port()) as gateway:
        until(lambda: answer(gateway.url("private", "/readyz"))[1]["broker"] == "connected")
        login = gateway.exec("signal-gateway", "bots", "add", "bot1")["env"]
        bots = gateway.exec("signal-gateway", "bots", "list")["bots"]
        heard = subprocess.run(
            [subscriber, "-h", "127.0.0.1", "-p", gateway.environ["SIGNAL_GATEWAY_BROKER__PORT"], "-V", "311",
             "-u", "bot1", "-P", login["SIGNAL_GATEWAY_MQTT_PASSWORD"], "-t", "signals/v1/bot/bot1", "-E"],
            env=dict(os.environ), timeout=30, check=False,
        )  # fmt: skip

    assert heard.returncode == 0
    assert {bot["name"] for bot in bots if bot["login"]} == {"bot1", "demo"}


def test_a_wrong_configuration_ends_the_pod_with_its_lines(tmp_path: Path) -> None:
    """A mistake in config ends the start, and what is wrong stands in the pod's log with its key."""
    values = merged(EXTERNAL, {"config": {"sources": {"tradingview": {"mod": "live"}}}})
    out = lay_out(render(values), tmp_path, secrets={"broker": {"password": PASSWORD}}, maps={})
    done = subprocess.run(
        out.command, env=out.environ, cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False
    )

    assert done.returncode == 4
    assert "sources.tradingview.mod is not a setting" in done.stderr
