"""A secret in an alert's body is nowhere afterwards: not on disk, in topics, logs, metrics, the API or the terminal."""

from __future__ import annotations

import json
import subprocess
import sys
import urllib.request
from pathlib import Path

from tests.e2e.deployment import until

GOLDEN = Path(__file__).parents[1] / "golden" / "alerts"


def bodies() -> dict[str, str]:
    """Every golden body that holds a secret, each with a canary of its own."""
    found = {}
    for file in sorted(GOLDEN.glob("*.json")):
        body = json.loads(file.read_text())["body"]
        if "%SECRET%" in body:
            canary = f"4711{len(found):04d}0815"
            found[canary] = body.replace("%SECRET%", canary)
    return found


def test_no_canary_is_anywhere_after_every_body_with_a_secret_was_posted(deploy):
    deployment = deploy(sources={"tv": {}}, external=False)
    watcher = deployment.start_bot("bot-a", WATCH="signals/v1/trade/+/+")
    canaries = bodies()
    assert len(canaries) > 20
    for body in canaries.values():
        status, _ = deployment.post("tv", body)
        assert status in {200, 202, 400, 422}, body
    until(lambda: deployment.metric("signal_gateway_outbox_depth") == 0)
    places = {
        "signals": json.dumps(deployment.api("signals?limit=500")),
        "refusals": json.dumps(deployment.api("refusals?limit=500")),
        "cli": json.dumps([deployment.cli("signals", "--json"), deployment.cli("signals", "--refused", "--json")]),
        "metrics": urllib.request.urlopen(f"http://127.0.0.1:{deployment.private}/metrics").read().decode(),
    }
    for number, body in enumerate(canaries.values()):
        if number % 8 == 0:
            places[f"try {number}"] = tried(deployment, body)
    deployment.stop_gateway()
    for file in (*(deployment.data / "journal").iterdir(), *deployment.folder.glob("*.log"), watcher.record):
        places[str(file)] = file.read_bytes().decode(errors="replace")
    assert len(places["signals"]) > 10_000
    assert len(places["refusals"]) > 200

    found = {(place, canary) for place, text in places.items() for canary in canaries if canary in text}

    assert found == set()


def tried(deployment, body: str) -> str:
    """What ``signal-gateway try`` prints for a body."""
    done = subprocess.run(
        [sys.executable, "-m", "gateway", "try", "tv", "-", "--data", str(deployment.data)],
        input=body.encode(), capture_output=True, check=False,
    )  # fmt: skip
    return (done.stdout + done.stderr).decode()


def test_the_webhooks_token_and_the_brokers_passwords_are_in_no_log_and_no_journal(deploy):
    deployment = deploy(sources={"tv": {}}, external=False)
    deployment.post("tv", '{"ticker": "BTCUSDT", "action": "buy"}')
    token = deployment.webhooks["tv"].rpartition("/")[2]
    files = [deployment.data / "secrets" / name for name in ("api.token", "gateway-broker.password")]
    secrets = [token, *(file.read_text().strip() for file in files)]
    deployment.stop_gateway()

    texts = [file.read_bytes().decode(errors="replace") for file in (deployment.data / "journal").iterdir()]
    texts.append((deployment.folder / "gateway.log").read_text())
    texts.append((deployment.data / "secrets" / "keys.json").read_text())

    assert not [secret for secret in secrets for text in texts if secret in text]
