"""The dashboard can be read, by Grafana and by a person."""

from __future__ import annotations

import json
import re
from itertools import combinations
from typing import Any

import pytest

from tests.monitoring.files import DASHBOARD, dashboard, panels, queries, rules
from tests.monitoring.promql import Query, Selector, read

BUILT_IN = {"row", "stat", "timeseries", "state-timeline"}
"""Panels that every Grafana has."""

TITLES = [panel["title"] for panel in panels()]


def test_the_file_is_spelled_as_a_program_would_spell_it() -> None:
    assert DASHBOARD.read_text() == json.dumps(dashboard(), indent=2, ensure_ascii=False) + "\n"


def test_every_panel_has_a_number_and_a_title_of_its_own() -> None:
    every = dashboard()["panels"]
    assert [panel["id"] for panel in every] == list(range(1, len(every) + 1))
    assert len(set(TITLES)) == len(TITLES)


def test_no_panel_lies_on_another_or_beside_the_grid() -> None:
    places = [panel["gridPos"] for panel in dashboard()["panels"]]
    assert all(place["x"] + place["w"] <= 24 for place in places)
    assert not [(one, other) for one, other in combinations(places, 2) if overlap(one, other)]


def overlap(one: dict[str, int], other: dict[str, int]) -> bool:
    """Whether two panels share a cell."""
    return all(
        one[start] < other[start] + other[size] and other[start] < one[start] + one[size]
        for start, size in (("x", "w"), ("y", "h"))
    )


def test_it_needs_no_plugin() -> None:
    assert {panel["type"] for panel in dashboard()["panels"]} <= BUILT_IN


@pytest.mark.parametrize("panel", panels(), ids=TITLES)
def test_a_panel_says_what_it_shows_and_in_which_unit(panel: dict[str, Any]) -> None:
    assert re.fullmatch(r"[A-Z].{20,}\.", panel["description"])
    assert panel["fieldConfig"]["defaults"]["unit"]
    assert panel["fieldConfig"]["defaults"]["thresholds"]["steps"][0]["value"] is None


def test_every_query_asks_the_prometheus_that_the_reader_chose() -> None:
    asked = [panel["datasource"] for panel in panels()]
    asked += [target["datasource"] for panel in panels() for target in panel["targets"]]
    asked += [variable["datasource"] for variable in variables().values() if variable["type"] == "query"]

    assert {source["uid"] for source in asked} == {"${datasource}"}
    assert variables()["datasource"]["type"] == "datasource"


def test_every_query_of_a_panel_follows_the_choice_of_a_gateway() -> None:
    for panel in panels():
        for target in panel["targets"]:
            assert 'instance=~"$instance"' in target["expr"], panel["title"]


def variables() -> dict[str, Any]:
    """The dashboard's variables by their names."""
    return {variable["name"]: variable for variable in dashboard()["templating"]["list"]}


def test_every_alert_is_led_to_from_a_panel_and_every_such_link_leads_to_one() -> None:
    linked = {link["title"].partition(": ")[2]: link["url"] for panel in panels() for link in panel["links"]}
    elsewhere = {"SignalGatewayRestarts"}  # an annotation shows each start

    assert set(linked) == set(rules()) - elsewhere
    for name, url in linked.items():
        assert url.replace("${runbook}", variables()["runbook"]["query"]) == rules()[name]["annotations"]["runbook_url"]


@pytest.mark.parametrize(
    ("query", "found", "grouped"),
    [
        ("up", {"up": ""}, ""),
        ('rate(a_total{x="y", z!~"{b}"}[5m])', {"a_total": "xz"}, ""),
        ("sum by (c) (a) / on (d) b", {"a": "", "b": ""}, "cd"),
        ("a < 2e3 * 1.5 and on (j, i) b", {"a": "", "b": ""}, "ij"),
    ],
)
def test_the_names_in_a_query_are_found(query: str, found: dict[str, str], grouped: str) -> None:
    selectors = tuple(Selector(metric, frozenset(labels)) for metric, labels in found.items())
    assert read(query) == Query(selectors, frozenset(grouped))


def test_every_query_names_a_metric() -> None:
    assert all(read(query).selectors for _, query, _ in queries())
