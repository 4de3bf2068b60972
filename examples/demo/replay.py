"""The demo: a gateway, two paper bots and a day of alerts within a minute and a half; shows what became of each.

python examples/demo/replay.py --data ./data/demo --speed 16
"""

from __future__ import annotations

import argparse
import contextlib
import fcntl
import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
BOTS = {"trend": "follow_signals", "careful": "half_size"}
WITHIN = 20.0
"""Seconds for anything to happen, at most."""


class Demo:
    """One gateway and two bots, with their data and logs in one folder, on ports that are free."""

    def __init__(self, data: Path, *, speed: float) -> None:
        self.data, self.speed, self.start = data, speed, time.time()
        self._public, self._private, self._broker = free_ports(3)
        self._processes: list[subprocess.Popen[bytes]] = []
        self._webhook = ""

    def run(self) -> None:
        """Start everything, replay the day, and say how it went."""
        say(f"starting a gateway and the bots {' and '.join(BOTS)}; logs and data are in {self.data}")
        (self.data / "signal-gateway.yml").write_text(self._configuration())
        self.cli("init")
        token = self.cli("keys", "rotate", "tradingview")["webhook"].rpartition("/")[2]
        self._webhook = f"http://127.0.0.1:{self._public}/hooks/tradingview/{token}"
        self._spawn("gateway", "-m", "gateway", "run", "--data", str(self.data))
        until(self._ready)
        self.start = time.time() + 4
        for bot in BOTS:
            self._start_bot(bot)
        until(lambda: all(bot["online"] for bot in self._api("bots")["bots"] if bot["name"] in BOTS))
        for bot, strategy in BOTS.items():
            self.cli("bots", "start", bot, "--script", strategy)
        self._replay()
        self._sum_up()
        self._wait()

    def _configuration(self) -> str:
        """YAML, of which JSON is a part."""
        http = {"public": {"port": self._public}, "private": {"port": self._private}}
        return json.dumps({"http": http, "broker": {"port": self._broker}, "sources": {"tradingview": {}}}, indent=2)

    def _wait(self) -> None:
        program, data = os.path.relpath(Path(sys.executable).with_name("signal-gateway")), os.path.relpath(self.data)
        say("Everything runs on, until Ctrl-C. Look at it from a second shell, in this folder:")
        for look in ("signals", "bots list", "bots show trend", "bots history trend", "bots command trend flatten"):
            say(f"  {program} {look} --data {data}")
        signal.pause()

    def close(self) -> None:
        """Stop what was started, the gateway last."""
        for process in reversed(self._processes):
            process.send_signal(signal.SIGTERM)
            process.wait(timeout=WITHIN)

    def cli(self, *arguments: str) -> Any:
        """Run a command of signal-gateway, and return its JSON."""
        command = [sys.executable, "-m", "gateway", *arguments, "--data", str(self.data), "--json"]
        done = subprocess.run(command, capture_output=True, check=False)  # noqa: S603
        if done.returncode:
            sys.exit(f"signal-gateway {' '.join(arguments)}: {done.stderr.decode()}")
        return json.loads(done.stdout)

    def _spawn(self, name: str, *arguments: str, **environment: str) -> None:
        with (self.data / f"{name}.log").open("ab") as log:
            command, env = [sys.executable, *arguments], os.environ | environment
            self._processes.append(subprocess.Popen(command, env=env, stdout=log, stderr=log))  # noqa: S603

    def _start_bot(self, bot: str) -> None:
        login = self.data / "bots" / f"{bot}.env"
        if not login.exists():
            self.cli("bots", "add", bot, "--sources", "tradingview", "--env-file", str(login))
        self._spawn(
            bot,
            str(HERE.parent / "paper_bot.py"),
            SIGNAL_GATEWAY_ENV_FILE=str(login),
            SIGNAL_GATEWAY_MQTT_PORT=str(self._broker),
            SIGNAL_GATEWAY_STATE_DIR=str(self.data / "bots" / bot),
            PAPER_SPEED=str(self.speed),
            PAPER_START=str(self.start),
        )

    def _ready(self) -> bool:
        with contextlib.suppress(OSError):
            return bool(self._api("status")["broker"]["connected"])
        return False

    def _replay(self) -> None:
        for minute, body in alerts():
            time.sleep(max(0.0, self.start + minute / self.speed - time.time()))
            with urllib.request.urlopen(self._webhook, json.dumps(body).encode()) as answer:  # noqa: S310
                id_ = json.load(answer)["id"]
            life = until(lambda id_=id_: self._answered(id_))
            outcomes = ", ".join(f"{receipt['bot']} {receipt['stage']}" for receipt in life["receipts"])
            what = f"{body['action']:4} {body['contracts']:>4} {body['ticker'].partition(':')[2]} at {body['price']:>9}"
            say(f"{minute // 60:02}:{minute % 60:02}  {what}  ->  {outcomes}")

    def _answered(self, id_: str) -> Any:
        life = self._api(f"signals/{id_}")
        done = {receipt["bot"] for receipt in life["receipts"] if receipt["stage"] not in {"received", "started"}}
        return life if done >= BOTS.keys() else None

    def _sum_up(self) -> None:
        for bot in BOTS:
            say(f"{bot}: {self.cli('bots', 'status', bot)['reply']['msg']}")
            held = self.cli("bots", "balance", bot)["reply"]["data"]["paper"]
            say(f"  holds {', '.join(f'{float(amount):g} {asset}' for asset, amount in held.items())}")

    def _api(self, path: str) -> Any:
        token = (self.data / "secrets" / "api.token").read_text().strip()
        headers = {"Authorization": f"Bearer {token}"}
        request = urllib.request.Request(f"http://127.0.0.1:{self._private}/api/v1/{path}", headers=headers)
        with urllib.request.urlopen(request, timeout=WITHIN) as answer:  # noqa: S310
            return json.load(answer)


def alerts() -> Iterator[tuple[int, dict[str, str]]]:
    """The day's alerts, each with its minute."""
    for line in (HERE / "alerts.jsonl").read_text().splitlines():
        entry = json.loads(line)
        yield entry["minute"], entry["body"]


def until(condition: Any) -> Any:
    """Wait for a condition, and return what it gave."""
    deadline = time.monotonic() + WITHIN
    while not (found := condition()):
        if time.monotonic() > deadline:
            sys.exit(f"nothing happened within {WITHIN:g} s: the logs say why")
        time.sleep(0.05)
    return found


def free_ports(number: int) -> list[int]:
    """Ports that nobody has now."""
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(number)]
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in sockets]


@contextlib.contextmanager
def only_one(data: Path) -> Iterator[None]:
    """Let no second demo into the same folder."""
    with (data / "demo.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            sys.exit(f"a demo runs in {data} already: end it with Ctrl-C, or give this one another folder with --data")
        yield


def say(line: str) -> None:
    print(line, flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--speed", type=float, default=16.0, help="minutes of the day per second")
    arguments = parser.parse_args()
    arguments.data.mkdir(parents=True, exist_ok=True)
    with only_one(arguments.data), contextlib.closing(Demo(arguments.data, speed=arguments.speed)) as demo:
        try:
            demo.run()
        except KeyboardInterrupt:
            say("stopped")


if __name__ == "__main__":
    main()
