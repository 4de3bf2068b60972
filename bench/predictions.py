"""Predictions in one request against single posts, in the same run: one after another, and 32 at a time."""

from __future__ import annotations

import json
import statistics
import subprocess
import time
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

from bench.rig import Rig, program

LUA = Path(__file__).with_name("predictions.lua")
PATH = "/v1/predictions/models"
PAIRS = ("BTC-USDT", "ETH-USDT", "SOL-USDT", "XRP-USDT")


def prediction(number: int) -> bytes:
    """A prediction that no other is equal to."""
    body = {
        "pair": PAIRS[number % len(PAIRS)],
        "model": {"name": "lstm", "version": "1"},
        "probabilities": {"short": 0.1, "neutral": 0.2, "long": 0.7},
        "horizon": 3600,
        "observed_at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "idempotency_key": str(number),
    }
    return json.dumps(body).encode()


class Rounds:
    """Posts predictions to one gateway in three ways; ``done`` counts them, so that none comes twice."""

    def __init__(self, rig: Rig) -> None:
        self._rig = rig
        self._token = rig.rotate("models")
        self._done = 0

    def together(self, count: int) -> float:
        """Predictions per second of one request with a line for each."""
        body = b"\n".join(map(prediction, self._next(count)))
        connection = HTTPConnection("127.0.0.1", self._rig.public)
        began = time.monotonic()
        connection.request("POST", PATH, body, self._headers("application/x-ndjson"))
        answer = connection.getresponse().read().splitlines()
        took = time.monotonic() - began
        self._agree(count, json.loads(answer[-1])["accepted"])
        return count / took

    def alone(self, seconds: float) -> float:
        """Predictions per second of single posts on one connection, one after another."""
        connection, headers = HTTPConnection("127.0.0.1", self._rig.public), self._headers("application/json")
        began, count = time.monotonic(), 0
        while time.monotonic() - began < seconds:
            connection.request("POST", PATH, prediction(*self._next(1)), headers)
            answer = connection.getresponse()
            answer.read()
            self._agree(202, answer.status)
            count += 1
        return count / (time.monotonic() - began)

    def at_once(self, seconds: float) -> float:
        """Predictions per second of single posts on 32 connections."""
        start = self._next(1_000_000).start
        command = [program("wrk"), "-t1", "-c32", f"-d{seconds:g}s", "-s", str(LUA)]
        command += [f"http://127.0.0.1:{self._rig.public}", "--", str(start), PATH, self._token]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        found = json.loads(next(line for line in done.stdout.splitlines() if line.startswith("{")))
        self._agree(0, found["failed"])
        return float(found["requests"] / found["seconds"])

    def _next(self, count: int) -> range:
        self._done += count
        return range(self._done - count, self._done)

    def _headers(self, content_type: str) -> dict[str, str]:
        return {"Authorization": f"Bearer {self._token}", "Content-Type": content_type}

    @staticmethod
    def _agree(wanted: int, found: int) -> None:
        if found != wanted:
            raise RuntimeError(f"the round does not count: {found} instead of {wanted}")


def measure(folder: Path, *, rounds: int, count: int, seconds: float) -> dict[str, Any]:
    """Medians of rounds in alternation, and the medians of their ratios."""
    with Rig(folder / "predictions").running() as rig:
        way = Rounds(rig)
        way.together(1000)
        seen = []
        for _ in range(rounds):
            seen.append((way.together(count), way.alone(seconds), way.at_once(seconds)))
            rig.until_empty(within=120)
    together, alone, at_once = (statistics.median(rates) for rates in zip(*seen, strict=True))
    return {
        "one request": together,
        "single posts": alone,
        "32 at once": at_once,
        "one request / single": statistics.median(rates[0] / rates[1] for rates in seen),
        "one request / 32 at once": statistics.median(rates[0] / rates[2] for rates in seen),
    }
