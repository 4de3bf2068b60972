"""Deployments for the end-to-end tests."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.e2e.deployment import Deployment


@pytest.fixture(params=["mosquitto", "embedded"])
def external(request: pytest.FixtureRequest) -> bool:
    return bool(request.param == "mosquitto")


@pytest.fixture
def deploy(tmp_path: Path) -> Iterator[Callable[..., Deployment]]:
    with ExitStack() as stack:

        def make(**options: object) -> Deployment:
            deployment = Deployment(tmp_path, **options)
            stack.callback(deployment.close)
            deployment.start()
            return deployment

        yield make
