"""What the tests of the prediction client share."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from bot_plugin.predictions import PredictionSettings
from tests.integration.predictions.stand_in import KEY, StandInGateway, standing_in

Settings = Callable[..., PredictionSettings]


@pytest.fixture
def gateway() -> Iterator[StandInGateway]:
    with standing_in() as gateway:
        yield gateway


@pytest.fixture
def settings(gateway: StandInGateway) -> Settings:
    """Settings for that gateway, with pauses that nobody notices."""

    def make(**more: Any) -> PredictionSettings:
        credential = {} if "secret" in more else {"key": KEY}
        usual = {"url": gateway.url, "source": "btc", "model": "m1", "backoff": (0.001, 0.01), "within": 10.0}
        return PredictionSettings(**{**usual, **credential, **more})

    return make
