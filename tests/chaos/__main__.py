"""``make soak``: a run of any size; exits with 1 and keeps its folder where a promise was broken."""

from __future__ import annotations

import argparse
import asyncio
import shutil
import signal
import sys
import tempfile
import time
from pathlib import Path

import uvloop

from tests.chaos import report
from tests.chaos.run import Plan, Run, carry_out


def arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    parser.add_argument("--seed", type=int, default=None, help="repeats the faults of an earlier run")
    parser.add_argument("--signals", type=int, default=1_000_000)
    parser.add_argument("--kills", type=int, default=200, help="of the gateway, the broker and each bot")
    parser.add_argument("--broker", choices=("mosquitto", "embedded"), default="mosquitto")
    parser.add_argument("--data", type=Path, help="a folder for everything, which must not exist")
    given = parser.parse_args()
    if given.data and given.data.exists():
        parser.error(f"{given.data} exists: name a new folder")
    return given


def main() -> int:
    """Run, say what happened, and keep the folder where something was wrong."""
    given = arguments()
    seed = int(time.time()) if given.seed is None else given.seed
    folder = (given.data or Path(tempfile.mkdtemp(prefix="signal-gateway-soak-")) / "run").resolve()
    folder.mkdir(parents=True)
    again = f"make soak SEED={seed} SIGNALS={given.signals} KILLS={given.kills} BROKER={given.broker}"
    plan = Plan(seed=seed, signals=given.signals, kills=given.kills, external=given.broker == "mosquitto")
    print(f"{again}\nin {folder}", flush=True)
    run = uvloop.run(_until_told_to_stop(plan, folder))
    print(report.text(run))
    report.write(run, folder.with_suffix(".json"))
    if run.verdict.findings:
        print(f"\nBROKEN. Everything is in {folder}; the same faults again: {again}")
        return 1
    shutil.rmtree(folder)
    print(f"\nKEPT: every promise. The figures are in {folder.with_suffix('.json')}")
    return 0


async def _until_told_to_stop(plan: Plan, folder: Path) -> Run:
    """SIGTERM ends a run as Ctrl-C does: no process and no mounted disk is left."""
    task = asyncio.current_task()
    assert task is not None
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    return await carry_out(plan, folder=folder)


if __name__ == "__main__":
    sys.exit(main())
