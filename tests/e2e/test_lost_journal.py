"""A journal that is gone, or is an older one than the bots know: new signals flow, and none runs twice."""

from __future__ import annotations

import shutil
import sqlite3
from collections import Counter
from contextlib import closing

from tests.e2e.deployment import until
from tests.e2e.test_alert_to_callback import BASES, alert


def post(deployment, count: int) -> list[str]:
    """Post alerts of ten keys in turn; the ids that were answered."""
    return [deployment.post("patient", alert(BASES[number % 10]))[1]["id"] for number in range(count)]


def stations(deployment, id_: str) -> list[str]:
    """Where a signal's deliveries stand."""
    return [delivery["station"] for delivery in deployment.api(f"signals/{id_}")["deliveries"]]


def forget(deployment) -> None:
    """Delete the journal."""
    files = list((deployment.data / "journal").glob("journal.db*"))
    assert files
    for file in files:
        file.unlink()


def handles(bot, ids: list[str]) -> None:
    """Wait until a bot handled these, and make sure that it handled each once, in the order of its key."""
    until(lambda: {entry["id"] for entry in bot.handled()} >= set(ids), within=30)
    handled = bot.handled()
    assert Counter(entry["id"] for entry in handled) == Counter(ids)
    for key in {entry["key"] for entry in handled}:
        sequences = [entry["sequence"] for entry in handled if entry["key"] == key]
        assert sequences == sorted(sequences)


def test_after_the_journal_was_deleted_new_signals_flow_and_none_runs_twice(deploy, external):
    deployment = deploy(sources={"patient": {}}, external=external)
    bot = deployment.start_bot("bot-a")
    before = post(deployment, 20)
    handles(bot, before)
    deployment.stop_gateway(9)

    forget(deployment)
    deployment.start_gateway()

    handles(bot, before + post(deployment, 20))


def test_an_older_copy_of_the_journal_runs_nothing_twice_though_it_holds_what_a_bot_has_run(deploy, external):
    deployment = deploy(sources={"patient": {}}, external=external)
    journal, copy = deployment.data / "journal" / "journal.db", deployment.folder / "copy.db"
    waiting = post(deployment, 20)
    with closing(sqlite3.connect(journal)) as source, closing(sqlite3.connect(copy)) as target:
        source.backup(target)
    bot = deployment.start_bot("bot-a")
    before = waiting + post(deployment, 20)
    handles(bot, before)
    deployment.stop_gateway(9)

    forget(deployment)
    shutil.copy(copy, journal)
    deployment.start_gateway()

    everything = before + post(deployment, 20)
    handles(bot, everything)
    for id_ in waiting:
        until(lambda id_=id_: stations(deployment, id_) == ["receipted"])
    handles(bot, everything)
