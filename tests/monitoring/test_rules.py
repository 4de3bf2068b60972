"""Each alert fires on what it is for, and on nothing else; promtool evaluates the rules as Prometheus does."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.brokers import require
from tests.docs.markdown import anchors, page
from tests.monitoring.files import RULES, rules

WHERE = {"instance": "10.0.0.1:8081", "job": "signal-gateway"}
SOURCE = {"source": "tv"}
STEPS = 120
"""Steps of 15 s: half an hour."""

ONCE = "0x60 1x59"
"""A counter that grew by one just after the first quarter of an hour, of which increase sees one in the last."""

Series = Mapping[str, str]

ORDINARY: Series = {
    "signal_gateway_build_info{version='1'}": f"1x{STEPS}",
    "process_start_time_seconds": f"1000x{STEPS}",
    "signal_gateway_journal_writable": f"1x{STEPS}",
    "signal_gateway_journal_bytes": f"5e6x{STEPS}",
    "signal_gateway_journal_max_bytes": f"1e9x{STEPS}",
    "signal_gateway_journal_disk_free_bytes": f"5e10x{STEPS}",
    "signal_gateway_journal_disk_size_bytes": f"1e11x{STEPS}",
    "signal_gateway_not_stored_total{cause='disk'}": f"0x{STEPS}",
    "signal_gateway_not_stored_total{cause='stopping'}": f"0+1x{STEPS}",
    "signal_gateway_unauthorised_total{cause='wrong_secret'}": f"0+0.2x{STEPS}",
    "signal_gateway_http_request_duration_seconds_bucket{listener='public',route='hook',le='0.01'}": f"0+95x{STEPS}",
    "signal_gateway_http_request_duration_seconds_bucket{listener='public',route='hook',le='1.0'}": f"0+100x{STEPS}",
    "signal_gateway_http_request_duration_seconds_bucket{listener='public',route='hook',le='+Inf'}": f"0+100x{STEPS}",
    "signal_gateway_source_silent{source='tv'}": f"0x{STEPS}",
    "signal_gateway_broker_connected": "1x60 0x2 1x58",
    "signal_gateway_broker_reconnects_total": "0x60 1x60",
    "signal_gateway_broker_certificate_expiry_timestamp_seconds": f"6e6x{STEPS}",
    "signal_gateway_outcomes_total{station='receipted',source='tv'}": f"0+10x{STEPS}",
    **{
        f"signal_gateway_outcomes_total{{station='{station}',source='tv'}}": f"0x{STEPS}"
        for station in ("denied", "dead", "unanswered", "unheard", "expired", "unknown", "superseded", "withdrawn")
    },
    "signal_gateway_problems_total{kind='reduce_expired'}": f"0x{STEPS}",
    "signal_gateway_outbox_oldest_age_seconds": f"0.2x{STEPS}",
    "signal_gateway_outbox_depth": f"1x{STEPS}",
    "signal_gateway_outbox_awaiting": f"1x{STEPS}",
    "signal_gateway_bot_alive{bot='demo'}": f"1x{STEPS}",
    "signal_gateway_bot_dead{bot='demo'}": f"0x{STEPS}",
    "signal_gateway_bot_last_seen_age_seconds{bot='demo'}": f"9x{STEPS}",
    "signal_gateway_bot_alive{bot='never-started'}": f"0x{STEPS}",
    "signal_gateway_bot_dead{bot='never-started'}": f"0x{STEPS}",
    "signal_gateway_bot_clock_offset_seconds{bot='demo'}": f"-1.5x{STEPS}",
    "signal_gateway_receipts_total{stage='handled',source='tv'}": f"0+10x{STEPS}",
    "signal_gateway_receipts_total{stage='failed',source='tv'}": f"0x{STEPS}",
    "signal_gateway_receipts_total{stage='interrupted',source='tv'}": f"0x{STEPS}",
    "signal_gateway_retained_found_total": f"0x{STEPS}",
    "signal_gateway_unexpected_errors_total": f"0x{STEPS}",
    "signal_gateway_notifications_total{outcome='sent'}": f"0+1x{STEPS}",
    "signal_gateway_notifications_total{outcome='failed'}": f"0x{STEPS}",
}
"""A gateway at work: a refused request now and then, and a broker that was away for half a minute."""

_LEFT = {
    "signal_gateway_bot_alive{bot='demo'}": f"0x{STEPS}",
    "signal_gateway_bot_last_seen_age_seconds{bot='demo'}": f"0+15x{STEPS}",
}
_GONE = _LEFT | {"signal_gateway_bot_dead{bot='demo'}": f"1x{STEPS}"}
_BUCKET = "signal_gateway_http_request_duration_seconds_bucket{listener='public',route='hook',"

FIRING: dict[str, tuple[Series, Mapping[str, str]]] = {
    "SignalGatewayDown": ({"signal_gateway_build_info{version='1'}": "1x60 stale"}, {}),
    "SignalGatewayRestarts": ({"process_start_time_seconds": "1000x80 1100x5 1200x5 1300x30"}, WHERE),
    "SignalGatewayJournalUnwritable": ({"signal_gateway_journal_writable": f"0x{STEPS}"}, WHERE),
    "SignalGatewayDiskLow": ({"signal_gateway_journal_disk_free_bytes": f"1.9e9x{STEPS}"}, WHERE),
    "SignalGatewayTurnedAway": (
        {"signal_gateway_not_stored_total{cause='disk'}": "0x105 1x15"},
        WHERE | {"cause": "disk"},
    ),
    "SignalGatewaySlow": ({f"{_BUCKET}le='1.0'}}": f"0+98x{STEPS}", f"{_BUCKET}le='3.0'}}": f"0+100x{STEPS}"}, WHERE),
    "SignalGatewayCredentialsRefused": (
        {"signal_gateway_unauthorised_total{cause='wrong_secret'}": "0x110 0+5x10"},
        WHERE | {"cause": "wrong_secret"},
    ),
    "SignalGatewaySourceSilent": ({"signal_gateway_source_silent{source='tv'}": f"1x{STEPS}"}, WHERE | SOURCE),
    "SignalGatewayBrokerAway": ({"signal_gateway_broker_connected": "1x115 0x5"}, WHERE),
    "SignalGatewayBrokerUnsteady": ({"signal_gateway_broker_reconnects_total": "0x80 1x10 2x10 3x10 4x10"}, WHERE),
    "SignalGatewayBrokerRefuses": (
        {"signal_gateway_outcomes_total{station='denied',source='tv'}": ONCE},
        WHERE | SOURCE,
    ),
    "SignalGatewayBrokerCertificateEnds": (
        {"signal_gateway_broker_certificate_expiry_timestamp_seconds": f"1.2e6x{STEPS}"},
        WHERE,
    ),
    "SignalGatewaySignalsWait": ({"signal_gateway_outbox_oldest_age_seconds": f"31x{STEPS}"}, WHERE),
    "SignalGatewayExitUndone": (
        {"signal_gateway_problems_total{kind='reduce_expired'}": ONCE},
        WHERE | {"kind": "reduce_expired"},
    ),
    "SignalGatewaySignalDead": ({"signal_gateway_outcomes_total{station='dead',source='tv'}": ONCE}, WHERE | SOURCE),
    "SignalGatewaySignalLost": (
        {"signal_gateway_outcomes_total{station='unanswered',source='tv'}": ONCE},
        WHERE | SOURCE | {"station": "unanswered"},
    ),
    "SignalGatewayBotGone": (_GONE, WHERE | {"bot": "demo"}),
    "SignalGatewayBotClockOff": (
        {"signal_gateway_bot_clock_offset_seconds{bot='demo'}": f"-2.1x{STEPS}"},
        WHERE | {"bot": "demo"},
    ),
    "SignalGatewayStrategyFails": (
        {"signal_gateway_receipts_total{stage='interrupted',source='tv'}": ONCE},
        WHERE | SOURCE | {"stage": "interrupted"},
    ),
    "SignalGatewayRetainedFound": ({"signal_gateway_retained_found_total": ONCE}, WHERE),
    "SignalGatewayUnexpectedErrors": ({"signal_gateway_unexpected_errors_total": ONCE}, WHERE),
    "SignalGatewayNotificationsFail": (
        {"signal_gateway_notifications_total{outcome='failed'}": ONCE},
        WHERE | {"outcome": "failed"},
    ),
}
"""By alert: what is not ordinary, and the labels that it fires with."""

NEARLY: dict[str, Series] = {
    "a gateway that was started twice": {"process_start_time_seconds": "1000x90 1100x10 1200x20"},
    "a scrape that failed": {"signal_gateway_build_info{version='1'}": "1x116 _x3 1"},
    "a broker that has been away for 45 s": {"signal_gateway_broker_connected": "1x117 0x3"},
    "a large disk with 10 GB left": {
        "signal_gateway_journal_disk_free_bytes": f"1e10x{STEPS}",
        "signal_gateway_journal_disk_size_bytes": f"1e12x{STEPS}",
    },
    "a small disk that is half empty": {
        "signal_gateway_journal_disk_free_bytes": f"1e9x{STEPS}",
        "signal_gateway_journal_disk_size_bytes": f"2e9x{STEPS}",
    },
    "a bot that was stopped while signals of others wait": _LEFT,
    "a bot that is gone while nothing waits": {
        **_GONE,
        "signal_gateway_outbox_depth": f"0x{STEPS}",
        "signal_gateway_outbox_awaiting": f"0x{STEPS}",
    },
    "a bot that has been gone for a moment": {
        "signal_gateway_bot_alive{bot='demo'}": "1x117 0x3",
        "signal_gateway_bot_dead{bot='demo'}": "0x117 1x3",
        "signal_gateway_bot_last_seen_age_seconds{bot='demo'}": "9x117 31x3",
    },
    "an exit that came in time after one that was withdrawn": {
        "signal_gateway_outcomes_total{station='withdrawn',source='tv'}": ONCE,
        "signal_gateway_outcomes_total{station='superseded',source='tv'}": ONCE,
    },
    "nobody who sends anything": {
        f"{_BUCKET}le='{limit}'}}": f"0x{STEPS}" for limit in ("0.01", "1.0", "+Inf")
    },
}  # fmt: skip


def series(changed: Series) -> list[dict[str, str]]:
    """All input series; labels that tell where they come from are added."""
    where = ",".join(f"{name}='{value}'" for name, value in WHERE.items())
    named = {
        name.replace("}", f",{where}}}") if "{" in name else f"{name}{{{where}}}": values
        for name, values in (ORDINARY | changed).items()
    }
    return [{"series": name.replace("'", '"'), "values": values} for name, values in named.items()]


def promtool(folder: Path, changed: Series, **expected: Any) -> subprocess.CompletedProcess[str]:
    """Let promtool evaluate the rules for half an hour."""
    file = folder / "test.yaml"
    test = {"interval": "15s", "input_series": series(changed)} | expected
    file.write_text(yaml.safe_dump({"rule_files": [str(RULES)], "evaluation_interval": "15s", "tests": [test]}))
    program = require("promtool", package="prometheus")
    return subprocess.run([program, "test", "rules", file], capture_output=True, text=True, timeout=60, check=False)


def fires(folder: Path, changed: Series, *, alerts: Iterable[tuple[str, Mapping[str, str]]]) -> None:
    """Make sure that these alerts fire in the end, and no other."""
    samples = []
    for name, labels in alerts:
        found = {"alertname": name, "alertstate": "firing", "severity": rules()[name]["labels"]["severity"], **labels}
        spelled = ",".join(f'{label}="{value}"' for label, value in found.items())
        samples.append({"labels": f"ALERTS{{{spelled}}}", "value": 1})
    expected = [{"expr": 'ALERTS{alertstate="firing"}', "eval_time": "30m", "exp_samples": samples}]
    done = promtool(folder, changed, promql_expr_test=expected)
    assert done.returncode == 0, done.stdout + done.stderr


def test_promtool_finds_nothing_wrong_with_the_rules() -> None:
    program = require("promtool", package="prometheus")
    done = subprocess.run([program, "check", "rules", RULES], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_alert_is_tried_here() -> None:
    assert set(FIRING) == set(rules())


def test_a_gateway_at_work_raises_no_alert(tmp_path: Path) -> None:
    fires(tmp_path, {}, alerts=[])


@pytest.mark.parametrize("name", FIRING)
def test_an_alert_fires_alone_on_what_it_is_for(name: str, tmp_path: Path) -> None:
    changed, labels = FIRING[name]
    fires(tmp_path, changed, alerts=[(name, labels)])


@pytest.mark.parametrize("case", NEARLY)
def test_what_is_not_bad_enough_raises_no_alert(case: str, tmp_path: Path) -> None:
    fires(tmp_path, NEARLY[case], alerts=[])


@pytest.mark.parametrize("name", FIRING)
def test_an_alert_says_in_whole_sentences_what_happened(name: str, tmp_path: Path) -> None:
    changed, _ = FIRING[name]
    unmet = [{"eval_time": "30m", "alertname": name, "exp_alerts": []}]
    said = promtool(tmp_path, changed, alert_rule_test=unmet).stderr
    texts = dict(re.findall(r'(summary|description|runbook_url)="((?:[^"\\]|\\.)*)"', said))

    assert set(texts) == {"summary", "description", "runbook_url"}, said
    assert not re.search(r"no value|error e|%!|NaN|\{\{", " ".join(texts.values())), texts
    assert texts["description"].endswith(".")


def test_every_alert_has_a_severity_that_a_pager_can_sort_by() -> None:
    assert {rule["labels"]["severity"] for rule in rules().values()} == {"critical", "warning"}


def test_every_alert_has_its_entry_in_the_runbook_and_every_entry_its_alert() -> None:
    text = page("docs/operate.md").partition("\n## Runbook")[2].partition("\n## ")[0]
    entries = re.findall(r"^### (.+)$", text, re.MULTILINE)

    assert entries == list(rules())
    for rule in rules().values():
        file, _, anchor = rule["annotations"]["runbook_url"].partition("#")
        assert file == "docs/operate.md"
        assert anchor == rule["alert"].lower()
        assert anchor in anchors(page(file))
