"""``start`` and ``stop`` on a core that fails, hangs and leaves orders open."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import pytest

from bot_plugin.commands import CommandFailed
from bot_plugin.hummingbot.commands.running import Running
from bot_plugin.hummingbot.internals.saving import NotSaved
from bot_plugin.hummingbot.internals.trading import Loaded, NotStarted
from bot_plugin.hummingbot.terms.plan import Library, Plan, Shelf
from schemas.command import Start, Stop

KEY = "0123456789abcdef"


@dataclass
class Order:
    client_order_id: str
    trading_pair: str = "BTC-USDT"
    is_buy: bool = True
    price: Decimal = Decimal("NaN")
    quantity: Decimal = Decimal("0.50")
    filled_quantity: Decimal = Decimal("NaN")
    creation_timestamp: int = 1_800_000_000_000_000


@dataclass
class Connector:
    limit_orders: list[Order] = field(default_factory=list)
    ready: bool = True


class Endings:
    def __init__(self, core: Core) -> None:
        self.cancelled, self.ended = core.cancelled, core.ended

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        pass


class Core:
    """A trading core: what it does next is told it beforehand."""

    def __init__(self) -> None:
        self.loaded = Loaded(strategy=None, file=None, config=None)
        self.strategy: Any = None
        self.connectors: dict[str, Connector] = {}
        self.fails: BaseException | None = None
        self.problems: list[BaseException] = []
        self.cancelled: set[str] = set()
        self.ended: set[str] = set()
        self.released = asyncio.Event()
        self.released.set()
        self.log: list[str] = []
        self.starting = False
        self.stopping = False
        self.since = 1_800_000_000.0
        self.kind = None

    @property
    def running(self) -> bool:
        return self.strategy is not None

    @property
    def idle(self) -> bool:
        return self.strategy is None

    async def start(self, strategy: str, conf: str | None, *, script: bool) -> None:
        if self.fails is not None:
            raise self.fails
        self.loaded, self.strategy = Loaded(strategy=strategy, file=conf or strategy, config=None), object()

    async def end(self, *, skip_order_cancellation: bool) -> list[BaseException]:
        await self.released.wait()
        for connector in self.connectors.values():
            gone = self.cancelled | self.ended
            connector.limit_orders = [each for each in connector.limit_orders if each.client_order_id not in gone]
        self.strategy, self.connectors = None, {}
        self.loaded = Loaded(strategy=None, file=None, config=None)
        self.log.append(f"ended, skip={skip_order_cancellation}")
        return self.problems

    def endings(self, _: Mapping[str, Any]) -> Endings:
        return Endings(self)

    def refresh_bridge(self) -> None:
        self.log.append("refreshed")

    def tell(self, text: str) -> None:
        self.log.append(text.strip())


class Files:
    """A folder in which everything exists, but that a controller's loader is yet to be generated."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.generated: list[str] = []
        for name in ("pmm.py", "signal_controllers.py", "pmm.yml"):
            (folder / name).touch()

    @property
    def library(self) -> Library:
        conf = {Shelf.SCRIPTS: "pmm.yml", Shelf.CONTROLLERS: "lp.yml"}
        (self.folder / "lp.yml").touch()
        return Library(
            script=lambda name: self.folder / f"{name}.py",
            conf=lambda shelf, name: self.folder / (name if conf.get(shelf) == name else f"no/{shelf}/{name}"),
            read=lambda path: {"script_file_name": "pmm.py"} if path.name == "pmm.yml" else {"id": "lp"},
        )

    def generate(self, name: str, *, script: str, controllers: tuple[str, ...]) -> bool:
        self.generated.append(f"{name}: {script} {controllers}")
        return True

    def forget(self, name: str) -> None:
        self.generated.clear()


class Accounts:
    exchanges = ("kraken",)
    secrets = (KEY,)


class Strategies:
    async def prepare(self, chosen: Plan) -> None:
        pass


class Stage:
    def __init__(self, folder: Path) -> None:
        self.core, self.files, self.logs = Core(), Files(folder), list[tuple[str, str | None]]()
        parts: Any = self.core, self.files, Strategies()
        accounts: Any = Accounts()
        self.running = Running(*parts, accounts=accounts, logs=lambda *begun: self.logs.append(begun))


@pytest.fixture
async def stage(tmp_path: Path) -> Stage:
    return Stage(tmp_path)


async def test_what_runs_is_answered_with_the_connectors_that_are_not_ready(stage: Stage) -> None:
    """The log begins before, by the configuration's name and the level; the bridge takes up what is new after."""
    stage.core.connectors = {"kraken": Connector(), "mexc": Connector(ready=False)}
    answer = await stage.running.start(Start(conf="pmm", log_level="debug"))

    assert (
        answer.msg
        == "pmm with pmm.yml runs on kraken, mexc; not ready yet: mexc (status says when; the bot's log, why not)"
    )
    assert answer.more["data"]["connectors"] == {"kraken": {"ready": True}, "mexc": {"ready": False}}
    assert stage.logs == [("pmm.yml", "DEBUG")]
    assert stage.core.log == ["refreshed", "pmm with pmm.yml was started by a remote command."]
    with pytest.raises(CommandFailed, match=r"pmm runs already, with pmm\.yml: stop it first"):
        await stage.running.start(Start(conf="pmm"))


@pytest.mark.parametrize(
    ("cause", "words"),
    [
        (RuntimeError(f"{KEY} is refused"), "RuntimeError: [redacted] is refused"),
        (None, "the clock does not tick"),
    ],
)
async def test_a_start_that_fails_says_why_and_forgets_what_was_generated(
    stage: Stage, cause: Exception | None, words: str
) -> None:
    """A key that the exchange repeats in its error is not told."""
    failure = NotStarted() if cause else NotStarted("the clock does not tick")
    failure.__cause__ = cause
    stage.core.fails = failure
    with pytest.raises(CommandFailed) as failed:
        await stage.running.start(Start(conf="lp"))

    assert str(failed.value) == f"signal_controllers with lp.yml was not started: {words}"
    assert (stage.files.generated, stage.core.log) == ([], ["refreshed"])


async def test_a_start_that_is_cut_forgets_what_was_generated(stage: Stage) -> None:
    """Whatever cuts it."""
    stage.core.fails = asyncio.CancelledError()
    with pytest.raises(asyncio.CancelledError):
        await stage.running.start(Start(conf="lp"))
    assert stage.files.generated == []


async def test_a_loader_that_cannot_be_written_is_the_reason(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """A full disk is told as what it is."""

    def fail(*_: object, **__: object) -> bool:
        raise NotSaved("lp.yml could not be written: the disk is full")

    monkeypatch.setattr(stage.files, "generate", fail)
    with pytest.raises(CommandFailed, match=r"was not started: lp\.yml could not be written: the disk is full"):
        await stage.running.start(Start(conf="lp"))


async def test_somebody_at_the_terminal_who_starts_one_is_not_disturbed(stage: Stage) -> None:
    """Two starts at once would share the core."""
    stage.core.starting = True
    with pytest.raises(CommandFailed, match="a strategy is being started already"):
        await stage.running.start(Start(conf="pmm"))


async def test_nothing_is_started_into_a_stop_of_the_terminal(stage: Stage) -> None:
    """The terminal's stop is cancelling orders when a start comes: it would take what is started along, so it waits."""
    stage.core.stopping = True
    with pytest.raises(CommandFailed, match="is being stopped still"):
        await stage.running.start(Start(conf="pmm"))


async def stop_with(stage: Stage, *orders: Order, skip: bool = False) -> Any:
    await stage.running.start(Start(conf="pmm"))
    stage.core.connectors = {"kraken": Connector(list(orders))}
    return await stage.running.stop(Stop(skip_order_cancellation=skip))


async def test_a_stop_names_what_was_cancelled_and_not_what_was_filled_meanwhile(stage: Stage) -> None:
    """What the exchange says counts, not that an order is gone."""
    stage.core.cancelled, stage.core.ended = {"a"}, {"b"}
    answer = await stop_with(stage, Order("a", price=Decimal("50.00")), Order("b"))

    assert answer.msg == "pmm is stopped; cancelled buy 0.5 BTC-USDT at 50 on kraken (a)"
    assert answer.more["data"] == {"stopped": "pmm", "conf": "pmm.yml", "cancelled": ["a"], "open": []}


async def test_an_order_that_nobody_saw_cancelled_is_no_success(stage: Stage) -> None:
    """The bot is stopped, and an order may be filled at any time: whoever asked must know."""
    stage.core.cancelled = {"a"}
    with pytest.raises(CommandFailed) as failed:
        await stop_with(stage, Order("a"), Order("b", is_buy=False))

    assert str(failed.value) == (
        "pmm is stopped, but not everything was done: cancelled buy 0.5 BTC-USDT at the market on kraken (a); "
        "not known to be cancelled: sell 0.5 BTC-USDT at the market on kraken (b)"
    )
    assert stage.core.idle


async def test_orders_are_left_where_that_was_asked(stage: Stage) -> None:
    """Then an open order is what was wanted."""
    answer = await stop_with(stage, Order("a"), skip=True)

    assert answer.msg == "pmm is stopped; cancelled no order; left open buy 0.5 BTC-USDT at the market on kraken (a)"
    assert answer.more["data"]["open"] == ["a"]
    assert stage.core.log[-1] == "ended, skip=True"


async def test_many_orders_are_counted_in_words_and_listed_in_the_data(stage: Stage) -> None:
    """A reply is read by people."""
    stage.core.cancelled = {f"o{number:03}" for number in range(200)}
    answer = await stop_with(stage, *(Order(id_) for id_ in sorted(stage.core.cancelled)))

    assert answer.msg.endswith("(o009), and 190 more")
    assert len(answer.more["data"]["cancelled"]) == 200


async def test_a_problem_on_the_way_is_told_though_it_is_stopped(stage: Stage) -> None:
    """A strategy's on_stop may have left a position."""
    stage.core.problems = [RuntimeError(f"no {KEY}")]
    with pytest.raises(CommandFailed, match=r"cancelled no order; on the way RuntimeError: no \[redacted\]"):
        await stop_with(stage)


async def test_a_stop_goes_on_when_its_command_is_given_up_and_a_second_one_waits_for_it(stage: Stage) -> None:
    """Half a stop would be worse than a late one; meanwhile nothing is started."""
    await stage.running.start(Start(conf="pmm"))
    stage.core.released.clear()
    first = asyncio.create_task(stage.running.stop(Stop()))
    await asyncio.sleep(0)
    first.cancel()
    with pytest.raises(asyncio.CancelledError):
        await first
    second = asyncio.create_task(stage.running.stop(Stop()))
    await asyncio.sleep(0)
    with pytest.raises(CommandFailed, match="is being stopped still"):
        await stage.running.start(Start(conf="pmm"))
    stage.core.released.set()

    assert (await second).msg == "pmm is stopped; cancelled no order"
    assert stage.core.log.count("ended, skip=False") == 1
    assert (await stage.running.stop(Stop())).msg == "nothing runs"
    assert (await stage.running.start(Start(conf="pmm"))).msg.startswith("pmm with pmm.yml runs")


async def test_a_script_that_runs_with_its_defaults_has_no_configuration_at_its_end_either(stage: Stage) -> None:
    """Hummingbot calls its file as the script; the start, a second one and the stop all say what there is."""
    started = await stage.running.start(Start(script="pmm"))
    with pytest.raises(CommandFailed, match=r"pmm runs already, with its defaults: stop it first"):
        await stage.running.start(Start(script="pmm"))
    stopped = await stage.running.stop(Stop())

    assert (started.more["data"]["conf"], stopped.more["data"]["conf"]) == (None, None)
    assert stopped.more["data"]["stopped"] == "pmm"
