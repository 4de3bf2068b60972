"""From the prediction client to a bot, in whole processes: with a key, signed, and through a gateway that is killed."""

from __future__ import annotations

import json
import signal
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from bot_plugin.predictions import Outcome, Prediction, PredictionClient, PredictionSettings
from tests.e2e.deployment import Bot, Deployment, until

SOURCES = {"ml": {"type": "prediction", "models": ["gbm"], "interval": "1h"}}
PAIRS = ("BTC-USDT", "ETH-USDT", "SOL-USDT")
LONG: Prediction = {"pair": "BTC-USDT", "probabilities": {"short": 0.1, "neutral": 0.2, "long": 0.7}, "horizon": "1h"}


def settings(deployment: Deployment, *, signing: bool = False, keep: str = "0s") -> PredictionSettings:
    """Settings with a new key or secret."""
    more = ("--signing",) if signing else ()
    made = deployment.cli("keys", "rotate", "ml", "--keep", keep, *more, "--json")
    credential = {"secret": made["signing_secret"]} if signing else {"key": made["token"]}
    return PredictionSettings(
        url=f"http://127.0.0.1:{deployment.public}", source="ml", within=60.0, backoff=(0.05, 0.5), **credential
    )


def seen(bot: Bot) -> Iterator[dict[str, Any]]:
    """The envelopes on the topics that a bot watches."""
    return (json.loads(entry["payload"]) for entry in bot.entries() if "payload" in entry)


@pytest.mark.parametrize("signing", [False, True], ids=["key", "secret"])
def test_each_outcome_of_a_real_gateway_is_told(signing: bool, deploy: Callable[..., Deployment]) -> None:  # noqa: FBT001
    """Accepted to the bot's topic; a duplicate; refused with each fault; nobody let in with another's key."""
    deployment = deploy(sources=SOURCES, external=True)
    bot = deployment.start_bot("bot-a", sources="ml", WATCH="signals/v1/prediction/ml/+")
    mine = settings(deployment, signing=signing)
    again = {**LONG, "observed_at": datetime.now(UTC), "idempotency_key": "candle-1"}
    with PredictionClient(mine) as client:
        first, second = client.send(**again), client.send(**again)
        wrong = client.send(**{**LONG, "probabilities": {"long": 1.5}, "model": "other"})
        old = client.send(**LONG, observed_at=datetime.now(UTC) + timedelta(minutes=1))
    settings(deployment, signing=signing)
    with PredictionClient(mine) as client:
        revoked = client.send(**LONG)

    assert (first.outcome, second.outcome, second.id) == (Outcome.ACCEPTED, Outcome.DUPLICATE, first.id)
    assert (wrong.outcome, {fault.where for fault in wrong.faults}) == (
        Outcome.REFUSED, {"model.name", "probabilities.long"},
    )  # fmt: skip
    assert [fault.where for fault in old.faults] == ["observed_at"]
    assert (revoked.outcome, revoked.reason[:22]) == (Outcome.REFUSED, "the answer was 401: th")
    (envelope,) = until(lambda: list(seen(bot)))
    assert (envelope["id"], envelope["type"]) == (first.id, "signal.prediction.v1")
    assert envelope["data"]["probabilities"] == LONG["probabilities"]
    assert envelope["data"]["instrument"]["pair"] == "BTC-USDT"


def test_a_secret_that_is_kept_signs_while_the_new_one_is_handed_out(deploy: Callable[..., Deployment]) -> None:
    """Secrets rotate without a prediction lost."""
    deployment = deploy(sources=SOURCES, external=False)
    old = settings(deployment, signing=True)
    new = settings(deployment, signing=True, keep="10m")
    for mine in (old, new):
        with PredictionClient(mine) as client:
            assert client.send(**LONG).outcome is Outcome.ACCEPTED


def test_a_gateway_that_is_killed_twice_has_each_prediction_once_and_in_order(
    deploy: Callable[..., Deployment],
) -> None:
    """The client needs nothing from its caller: what was answered stays, what was not is sent again."""
    deployment = deploy(sources=SOURCES, external=False)
    bot = deployment.start_bot("bot-a", WATCH="signals/v1/prediction/ml/+")
    now = datetime.now(UTC)
    predictions: Iterator[Prediction] = (
        {**LONG, "pair": PAIRS[number % 3], "observed_at": now, "idempotency_key": f"k{number}"}
        for number in range(6_000)
    )
    ids, outcomes = {}, Counter[Outcome]()
    with PredictionClient(settings(deployment)) as client:
        for number, result in enumerate(client.send_all(predictions)):
            assert result.idempotency_key == f"k{number}"
            ids[result.idempotency_key] = result.id
            outcomes[result.outcome] += 1
            if number in {500, 3_000}:
                deployment.stop_gateway(signal.SIGKILL)
                deployment.start_gateway()

    assert outcomes.keys() <= {Outcome.ACCEPTED, Outcome.DUPLICATE}
    assert len(set(ids.values())) == 6_000
    until(lambda: len({envelope["id"] for envelope in seen(bot)}) >= 6_000, within=90)
    for first, pair in enumerate(PAIRS):
        of_pair = {envelope["sequence"]: envelope for envelope in seen(bot) if envelope["subject"] == pair}
        keys = [of_pair[sequence]["data"]["idempotency_key"] for sequence in sorted(of_pair)]
        assert keys == [f"k{number}" for number in range(first, 6_000, 3)]
        assert all(ids[envelope["data"]["idempotency_key"]] == envelope["id"] for envelope in of_pair.values())
