"""``make bench``: rounds in alternation, medians, spread and ratios, as text and as JSON."""

from __future__ import annotations

import argparse
import json
import statistics
import struct
import sys
import tempfile
import time
from collections.abc import Iterable
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

from bench.predictions import measure
from bench.rig import Load, Rig, load, server, until

KINDS = ("bare", "loading", "gateway")
WHAT = ("throughput", "paced", "drain", "memory", "predictions")


class RoundFailed(RuntimeError):
    """A round does not count: what was answered, journalled and acknowledged differ, or the outbox did not empty."""


def gateway_round(rig: Rig, *, start: int, seconds: float) -> Load:
    """Load the gateway's webhook with everything on.

    Raises:
        RoundFailed: the round does not count.
    """
    counters = ("signal_gateway_accepted_total", "signal_gateway_published_total")
    before = [rig.metric(counter) for counter in counters]
    seen = load(rig.public, rig.paths, start=start, seconds=seconds)
    try:
        rig.until_empty(within=2.0)
    except TimeoutError:
        raise RoundFailed(f"{rig.metric('signal_gateway_outbox_depth'):.0f} still wait 2 s after the end") from None
    accepted, published = (rig.metric(counter) - was for counter, was in zip(counters, before, strict=True))
    # wrk ends with up to 32 requests in flight, which the gateway answers and wrk does not count.
    if seen.non2xx or seen.socket_errors or accepted != published or not 0 <= accepted - seen.requests <= 32:
        raise RoundFailed(f"answered {seen}, accepted {accepted:.0f}, published {published:.0f}")
    if duplicates := rig.metric("signal_gateway_duplicates_total"):
        raise RoundFailed(f"{duplicates:.0f} duplicates")
    return seen


def rounds(folder: Path, *, count: int, seconds: float) -> dict[str, list[Load]]:
    """Alternate between the three; each round has fresh processes."""
    seen: dict[str, list[Load]] = {kind: [] for kind in KINDS}
    for number in range(count):
        for kind in KINDS:
            if kind == "gateway":
                with Rig(folder / f"round-{number}").running() as rig:
                    load(rig.public, rig.paths, start=0, seconds=1)
                    rig.until_empty(within=30)
                    seen[kind].append(gateway_round(rig, start=10_000_000, seconds=seconds))
            else:
                with server(kind, folder) as port:
                    paths = [f"/hooks/{source}/token" for source in "abcd"]
                    load(port, paths, start=0, seconds=1)
                    seen[kind].append(load(port, paths, start=10_000_000, seconds=seconds))
            print(f"  round {number + 1} {kind:8s} {seen[kind][-1].rate:9.0f} requests/s", file=sys.stderr)
    return seen


def alert(number: int) -> bytes:
    """An alert that carries the sender's clock, in nanoseconds."""
    body = {
        "ticker": f"{('BTC', 'ETH', 'SOL', 'XRP')[number % 4]}USDT",
        "exchange": "BINANCE",
        "action": "buy",
        "contracts": "0.5",
        "order_id": str(number),
        "message": str(time.time_ns()),
    }
    return json.dumps(body).encode()


def paced(folder: Path, *, rate: int, seconds: float) -> dict[str, float]:
    """Post at a steady rate and take the time from before the request to the callback, in milliseconds."""
    count = int(rate * seconds)
    with Rig(folder / "paced").running() as rig:
        connection = HTTPConnection("127.0.0.1", rig.public)
        began = time.monotonic()
        for number in range(count):
            time.sleep(max(0.0, began + number / rate - time.monotonic()))
            connection.request("POST", rig.paths[number % len(rig.paths)], alert(number))
            connection.getresponse().read()
        until(lambda: rig.samples.stat().st_size == 8 * count)
        samples = [sample / 1e6 for (sample,) in struct.iter_unpack("<q", rig.samples.read_bytes())]
    cuts = statistics.quantiles(samples[rate:], n=100)
    return {"p50_ms": cuts[49], "p99_ms": cuts[98], "rate": rate}


def drain(folder: Path, *, backlog: int) -> dict[str, float]:
    """Take a backlog in while the broker is away, then the time until all of it is acknowledged."""
    rig = Rig(folder / "drain")
    with rig.gateway():
        accepted = 0
        while accepted < backlog:
            load(rig.public, rig.paths, start=accepted * 2, seconds=2)
            accepted = int(rig.metric("signal_gateway_accepted_total"))
        with rig.mosquitto(), rig.bot():
            until(lambda: rig.metric("signal_gateway_broker_connected") == 1)
            began = time.monotonic()
            rig.until_empty(within=600)
            took = time.monotonic() - began
        return {"backlog": accepted, "seconds": took, "rate": accepted / took, "memory_mb": rig.memory}


def memory(folder: Path, *, signals: int) -> dict[str, float]:
    """The gateway's memory with the embedded broker after so many signals, in MB."""
    with Rig(folder / "memory", embedded=True).running() as rig:
        first, accepted = rig.memory, 0
        while accepted < signals:
            load(rig.public, rig.paths, start=accepted * 2, seconds=5)
            rig.until_empty(within=300)
            accepted = int(rig.metric("signal_gateway_accepted_total"))
        return {"signals": accepted, "before_mb": first, "after_mb": rig.memory}


def summary(seen: dict[str, list[Load]]) -> dict[str, Any]:
    """Medians, spread and ratios of the rounds."""
    rates = {kind: [one.rate for one in loads] for kind, loads in seen.items()}
    medians = {kind: statistics.median(rate) for kind, rate in rates.items()}

    def ratio(other: str) -> float:
        return statistics.median(a / b for a, b in zip(rates["gateway"], rates[other], strict=True))

    return {
        "rates": {kind: {"median": medians[kind], "min": min(r), "max": max(r)} for kind, r in rates.items()},
        "p99_ms": {kind: statistics.median(one.p99_ms for one in loads) for kind, loads in seen.items()},
        "gateway/bare": ratio("bare"),
        "gateway/loading": ratio("loading"),
    }


def text(results: dict[str, Any]) -> Iterable[str]:
    """The results for a person."""
    if "throughput" in results:
        found = results["throughput"]
        for kind, rate in found["rates"].items():
            yield f"{kind:8s} {rate['median']:9.0f} requests/s  ({rate['min']:.0f} to {rate['max']:.0f})"
        yield f"gateway / bare handler          {found['gateway/bare']:.3f}"
        yield f"gateway / parsing and loading   {found['gateway/loading']:.3f}"
    for name in ("paced", "drain", "memory", "predictions"):
        if name in results:
            yield f"{name}: " + ", ".join(f"{key} {value:.1f}" for key, value in results[name].items())


def main() -> None:
    """Run the bench and print its results."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=5)
    parser.add_argument("--only", choices=list(WHAT), action="append")
    parser.add_argument("--json", type=Path, help="write the results into this file")
    given = parser.parse_args()
    wanted = given.only or WHAT
    results: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        if "throughput" in wanted:
            results["throughput"] = summary(rounds(folder, count=given.rounds, seconds=given.seconds))
        if "paced" in wanted:
            results["paced"] = paced(folder, rate=200, seconds=10)
        if "drain" in wanted:
            results["drain"] = drain(folder, backlog=100_000)
        if "memory" in wanted:
            results["memory"] = memory(folder, signals=100_000)
        if "predictions" in wanted:
            results["predictions"] = measure(folder, rounds=given.rounds, count=10_000, seconds=given.seconds)
    print("\n".join(text(results)))
    if given.json:
        given.json.write_text(json.dumps(results, indent=1) + "\n")


if __name__ == "__main__":
    main()
