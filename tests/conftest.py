"""What every test shares: hypothesis profiles, and skips that are failures where everything is required."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

pytest_plugins = ["tests.brokers", "tests.certificates"]

PROPERTIES = Path(__file__).parent / "property"
REQUIRE_ALL = os.environ.get("SIGNAL_GATEWAY_TEST_REQUIRE_ALL") == "1"

settings.register_profile("quick", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("more", settings.get_profile("quick"), max_examples=1000, derandomize=False)
settings.load_profile("quick")


def pytest_configure(config: pytest.Config) -> None:
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # a job in background, whose children would ignore it too
        signal.signal(signal.SIGINT, signal.default_int_handler)
    config.addinivalue_line("markers", "property: holds for every input that hypothesis can think of (tests/property)")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.path.is_relative_to(PROPERTIES):
            item.add_marker(pytest.mark.property)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Any:
    return _required((yield))


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report() -> Any:
    return _required((yield))


def _required(report: pytest.TestReport | pytest.CollectReport) -> Any:
    if REQUIRE_ALL and report.skipped and not hasattr(report, "wasxfail"):
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else report.longrepr
        report.outcome = "failed"
        report.longrepr = f"nothing may be skipped here (SIGNAL_GATEWAY_TEST_REQUIRE_ALL=1): {reason}"
    return report
