"""The pipelines page's Python runs as it stands, its tables are whole, and its example trains and sends."""

from __future__ import annotations

import asyncio
import inspect
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
import yaml

from bot_plugin.predictions import Outcome, Prediction
from bot_plugin.predictions.settings import PREFIX, VARIABLES
from tests.docs.markdown import ROOT, Block, blocks, codes, page, rows
from tests.e2e.deployment import Deployment
from tests.integration.predictions.stand_in import KEY, Answer, CutError, StandInGateway, standing_in

PAGE = page("docs/pipelines.md")
BLOCKS = list(blocks(PAGE))
PYTHON = [block for block in BLOCKS if block.language == "python"]
SAYS = {
    "A prediction": r"accepted id-0\n",
    "Many": r"(accepted accepted\n)?",
    "Sending again": r"accepted\n",
    "Notebooks": r"accepted id-0\n",
}


@pytest.fixture
def gateway(monkeypatch: pytest.MonkeyPatch) -> Iterator[StandInGateway]:
    """A gateway whose address and key are in the environment, as the page says it."""
    with standing_in() as gateway:
        environment = {"URL": gateway.url, "SOURCE": "btc-models", "KEY": KEY, "MODEL": "momentum"}
        for name, value in environment.items():
            monkeypatch.setenv(f"{PREFIX}{name}", value)
        yield gateway


def run(block: Block) -> dict[str, Any]:
    names: dict[str, Any] = {"__name__": "shown"}
    exec(compile(block.text, block.section, "exec"), names)
    return names


@pytest.mark.parametrize("block", [block for block in PYTHON if block.section in SAYS], ids=lambda block: block.section)
def test_a_program_of_the_page_does_what_the_page_says(
    block: Block, gateway: StandInGateway, capsys: pytest.CaptureFixture[str]
) -> None:
    """Each as it stands, against a stand-in for the gateway."""
    main = run(block).get("main", lambda: None)
    if inspect.iscoroutinefunction(main):
        asyncio.run(main())
    else:
        main()

    assert re.fullmatch(SAYS[block.section], capsys.readouterr().out)
    assert gateway.stored


def test_every_program_of_the_page_is_run() -> None:
    """A new section is told to this test."""
    assert {block.section for block in PYTHON} == {*SAYS, "FreqAI"}


def test_an_unknown_outcome_is_sent_again_as_the_page_does_it(
    gateway: StandInGateway, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second call sends the same bytes, and the gateway has it once."""
    (block,) = [block for block in PYTHON if block.section == "Sending again"]
    names = run(block)
    client = names["PredictionClient"]
    patience = iter((0.2, 10.0))
    monkeypatch.setattr(
        client, "send", lambda self, send=client.send, **said: send(self, within=next(patience), **said)
    )
    gateway.script.append(stores_and_says_nothing)
    names["main"]()

    assert capsys.readouterr().out == "duplicate\n"
    assert len({request.body for request in gateway.requests}) == 1
    assert len(gateway.stored) == 1


def stores_and_says_nothing(to: Answer) -> None:
    """As a gateway does that is killed before it answers."""
    to.gateway.store(to.request.keys[0])
    to.gateway.released.wait(0.4)
    raise CutError


class _Rows(list[Any]):
    """As much of a data frame as the page's strategy needs."""

    @property
    def iloc(self) -> list[Any]:
        return self


@pytest.fixture
def strategy(gateway: StandInGateway, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Any]]:
    """Makes the page's strategy, on stand-ins for the two modules of freqtrade that it imports."""
    modules = {
        "freqtrade.exchange": {"timeframe_to_seconds": lambda _: 300},
        "freqtrade.strategy": {"IStrategy": object},
    }
    for name in ("freqtrade", *modules):
        module = ModuleType(name)
        module.__dict__.update(modules.get(name, {}))
        monkeypatch.setitem(sys.modules, name, module)
    (block,) = [block for block in PYTHON if block.section == "FreqAI"]
    made = run(block)["Predicting"]()

    def make(*, mode: str) -> Any:
        made.timeframe = "5m"
        made.config = {
            "runmode": SimpleNamespace(value=mode),
            "freqai": {"identifier": "run-7", "feature_parameters": {"label_period_candles": 12}},
        }
        made.freqai = SimpleNamespace(class_names=["short", "neutral", "long"], start=lambda frame, *_: frame)
        made.bot_start()
        return made

    yield make
    if made.client is not None:
        made.client.close()


CANDLE = {"short": 0.1, "neutral": 0.2, "long": 0.7, "do_predict": 1, "date": datetime(2099, 1, 1, 10, tzinfo=UTC)}


def test_the_strategy_of_the_page_sends_the_last_candle_of_freqai(
    strategy: Callable[..., Any], gateway: StandInGateway
) -> None:
    """With the candle's close, the label's horizon, and what FreqAI thinks of its input."""
    live = strategy(mode="dry_run")
    live.populate_indicators(_Rows([None, CANDLE]), {"pair": "BTC/USDT:USDT"})
    live.populate_indicators(_Rows([{**CANDLE, "do_predict": 0}]), {"pair": "BTC/USDT:USDT"})
    live.populate_indicators(_Rows([{**CANDLE, "short": 0, "neutral": 0, "long": 0}]), {"pair": "BTC/USDT:USDT"})
    assert live.client.flush(within=5)

    first, second = (line for request in gateway.requests for line in request.lines)
    assert first["instrument"]["pair"] == "BTC-USDT"
    assert first["model"] == {"name": "momentum", "version": "run-7"}
    assert first["observed_at"] == "2099-01-01T10:05:00.000000Z"
    assert (first["horizon"], first["outlier"], second["outlier"]) == (3600, False, True)


def test_the_strategy_of_the_page_sends_nothing_of_the_past(
    strategy: Callable[..., Any], gateway: StandInGateway
) -> None:
    """A backtest trades alone."""
    strategy(mode="backtest").populate_indicators(_Rows([CANDLE]), {"pair": "BTC/USDT"})

    assert gateway.requests == []


def test_the_tables_name_every_outcome_field_and_setting() -> None:
    """And no other."""
    named = {name for cells in rows(PAGE) for name in codes(cells[0])}

    assert {outcome.value for outcome in Outcome} | set(Prediction.__annotations__) == {
        name for name in named if not name.startswith(PREFIX)
    }
    assert {f"{PREFIX}{name}" for name in VARIABLES} == {name for name in named if name.startswith(PREFIX)}
    settings = [codes(cells[1]) for cells in rows(PAGE) if cells[0].startswith(f"`{PREFIX}")]
    assert {name for names in settings for name in names} >= set(VARIABLES.values())


@pytest.fixture
def deployment(tmp_path: Path) -> Iterator[Deployment]:
    """A gateway with the source of the page."""
    (source,) = [block.text for block in BLOCKS if block.language == "yaml"]
    deployment = Deployment(tmp_path, sources=yaml.safe_load(source)["sources"], external=False)
    deployment.start()
    yield deployment
    deployment.close()


def test_the_example_trains_a_model_that_is_better_than_a_guess_and_sends_what_it_predicts(
    deployment: Deployment,
) -> None:
    """With the page's environment, to a real gateway, which has each prediction in its journal."""
    (text,) = [block.text for block in BLOCKS if block.language == "sh"]
    environment = dict(line.split("=", 1) for line in text.splitlines())
    environment["SIGNAL_GATEWAY_URL"] = f"http://127.0.0.1:{deployment.public}"
    environment["SIGNAL_GATEWAY_KEY"] = deployment.cli("keys", "rotate", "btc-models", "--json")["token"]
    program = ROOT / "examples" / "predictions" / "train_and_stream.py"
    done = subprocess.run(
        [sys.executable, str(program), "--count", "12", "--every", "0"],
        env=os.environ | environment | {"PYTHONPATH": str(ROOT)},
        capture_output=True, text=True, check=False,
    )  # fmt: skip

    first, *sent = done.stdout.splitlines()
    assert (done.returncode, done.stderr) == (0, "")
    right, guess = map(int, re.findall(r"(\d+)%", first))
    assert right > guess
    ids = [line.rpartition("accepted ")[2] for line in sent]
    assert len(ids) == 12
    assert {signal["id"] for signal in deployment.api("signals?limit=50")["signals"]} == set(ids)


def test_the_example_says_in_a_line_what_its_user_has_to_set() -> None:
    """Without an environment."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith(PREFIX)}
    program = ROOT / "examples" / "predictions" / "train_and_stream.py"
    done = subprocess.run(
        [sys.executable, str(program), "--count", "1"],
        env=environment | {"PYTHONPATH": str(ROOT)},
        capture_output=True, text=True, check=False,
    )  # fmt: skip

    assert done.returncode == 1
    assert done.stderr.startswith("the environment cannot be used:\n  - source is missing")
