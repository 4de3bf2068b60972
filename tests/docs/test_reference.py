"""The reference pages name everything that the code has: settings, metrics, codes, stations, stages."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from typing import Any

import pytest
from marshmallow import Schema, missing
from prometheus_client import CollectorRegistry

from gateway.config.clients import Client
from gateway.config.fields import Listed, Named, Section, Value, Values
from gateway.config.permissions import client_permissions, gateway_permissions, permissions
from gateway.config.schema import RootSchema
from gateway.errors import Code
from gateway.journal.model import Depth, Station
from gateway.journal.room import Room
from gateway.mqtt import Permissions
from gateway.roles import Role
from gateway.telemetry.counted import Count, Family
from gateway.telemetry.labels import AUDITED, CHANNELS, NOT_STORED, NOTIFIED, ROUTES, UNAUTHORISED
from gateway.telemetry.metrics import (
    STATES,
    CertificateCollector,
    ClockCollector,
    LivesCollector,
    Metrics,
    OutboxCollector,
    RoomCollector,
)
from schemas.receipt import Stage
from schemas.topics import Topics
from tests.docs.markdown import ROOT, codes, keyed_rows, page, prose

TABLE = ("sources", "NAME", "symbols")
"""A table of instruments, whose keys are documented once, at ``sources.NAME.instrument``."""


def settings(schema: Schema, path: tuple[str, ...] = ()) -> Iterator[tuple[str, Value | None]]:
    for key, field in schema.fields.items():
        here = (*path, key)
        if isinstance(field, Section):
            yield from settings(field.schema, here)
        elif isinstance(field, Named) and here != TABLE:
            yield from settings(field.schema, (*here, "NAME"))
        elif isinstance(field, Listed):
            yield ".".join(here), None
            yield from settings(field.schema, (*path, f"{key}[]"))
        else:
            yield ".".join(here), field if isinstance(field, Value) else None


SETTINGS = dict(settings(RootSchema()))


def default_of(field: Value) -> Any:
    return "required" if field.required else field.load_default


def documented(field: Value, text: str) -> Any:
    match text:
        case "required":
            return "required"
        case "none":
            return None
        case "empty":
            return ()
    return field.deserialize(text.strip("`"))


def test_the_configuration_page_names_every_setting_and_no_other() -> None:
    rows = keyed_rows(page("docs/configuration.md"))
    named = {name for name, cells in rows.items() if len(cells) == 3}

    assert set(SETTINGS) == named


@pytest.mark.parametrize("name", [name for name, field in SETTINGS.items() if field is not None])
def test_the_configuration_page_tells_the_default(name: str) -> None:
    field = SETTINGS[name]
    assert field is not None
    _, default, meaning = keyed_rows(page("docs/configuration.md"))[name]

    assert meaning
    assert field.load_default is not missing or field.required
    assert documented(field, default) == default_of(field)
    assert (default == "empty") == (isinstance(field, Values) and not field.required)


def metric_names(registry: CollectorRegistry) -> dict[str, str]:
    """By the name that a reader of /metrics sees: the type."""
    suffixes = {"counter": ("_total", "counter"), "info": ("_info", "gauge")}
    found = {}
    for family in registry.collect():
        suffix, kind = suffixes.get(family.type, ("", family.type))
        found[family.name + suffix] = kind
    return found


def test_the_metrics_page_names_every_metric_with_its_type_and_no_other() -> None:
    metrics = Metrics(sources=["tv"], version="1")
    metrics.registry.register(OutboxCollector(lambda: Depth(waiting=0, oldest=None), now=lambda: 0))
    metrics.registry.register(CertificateCollector(lambda: None))
    metrics.registry.register(ClockCollector(dict, named=set))
    metrics.registry.register(LivesCollector(dict, named=set, now=lambda: 0))
    metrics.registry.register(RoomCollector(lambda: Room(used=0, limit=0, free=0, size=0)))
    metrics.watch_journal(lambda: True)
    own = {name: kind for name, kind in metric_names(metrics.registry).items() if name.startswith("signal_gateway_")}
    process = set(metric_names(metrics.registry)) - set(own)
    rows = keyed_rows(page("docs/metrics.md"))

    assert own == {name: cells[1] for name, cells in rows.items() if len(cells) == 4}
    assert process <= set(codes(prose(page("docs/metrics.md"))))


def test_the_metrics_page_names_the_labels() -> None:
    rows = keyed_rows(page("docs/metrics.md"))
    families = [value for value in vars(Metrics(sources=[], version="1")).values() if isinstance(value, Family)]

    assert families
    for family in families:
        name = family.name + ("_total" if family._kind is Count else "")
        assert codes(rows[name][2]) == list(family.labels), name


@pytest.mark.parametrize(
    ("metric", "values"),
    [
        ("signal_gateway_unauthorised_total", UNAUTHORISED),
        ("signal_gateway_not_stored_total", NOT_STORED),
        ("signal_gateway_api_changes_total", AUDITED),
        ("signal_gateway_notifications_total", NOTIFIED),
        ("signal_gateway_bot_messages_total", CHANNELS),
        ("signal_gateway_bots", frozenset(STATES)),
    ],
)
def test_the_metrics_page_names_the_values_of_a_label(metric: str, values: frozenset[str]) -> None:
    assert values == set(codes(keyed_rows(page("docs/metrics.md"))[metric][3]))


def problems() -> Iterator[tuple[str, int]]:
    """Every problem that the listeners answer with: a call in ``gateway/web`` that begins with a status and a code."""
    yield from ((code.code, code.status) for code in Code)
    for path in (ROOT / "gateway" / "web").glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            match node:
                case ast.Call(args=[ast.Constant(int(status)), ast.Constant(str(code)), *_]):
                    yield code, status


def test_the_api_page_names_every_problem_code_with_its_status_and_no_other() -> None:
    rows = keyed_rows(page("docs/api.md"))
    named = {name: int(cells[1]) for name, cells in rows.items() if len(cells) == 3 and cells[1].isdecimal()}

    assert dict(problems()) == named


def test_the_api_page_names_every_route() -> None:
    named = " ".join(codes(prose(page("docs/api.md"))))
    words = {"post_predictions": "/v1/predictions/SOURCE", "post_signals": "/v1/signals/SOURCE"}
    words |= {"hook": "/hooks/", "signal": "/api/v1/signals/ID", "tokens": "/tokens"}

    assert not [route for route in ROUTES if words.get(route, f"/{route}") not in named]


@pytest.mark.parametrize(("section", "names"), [("On the way to the broker", Station), ("At the bot", Stage)])
def test_the_guarantees_page_names_every_outcome_with_its_meaning(section: str, names: Any) -> None:
    text = page("docs/guarantees.md").partition(f"## {section}")[2].partition("\n## ")[0]
    rows = keyed_rows(text)

    assert {name.value for name in names} == set(rows)
    assert all(cells[1] for cells in rows.values())


def test_the_brokers_page_names_every_permission() -> None:
    text = page("docs/brokers.md").partition("## Permissions")[2]
    _, gateway, bot, *clients = [line for line in text.splitlines() if line.startswith("|") and "---" not in line]
    topics = Topics()
    own, named = gateway_permissions(topics), permissions("NAME", (), topics)

    assert {*own.publish, *own.subscribe} == set(codes(gateway))
    assert live(named) | {"signals-test"} == set(codes(bot))
    told: set[str] = set()
    for role, line in zip(Role, clients, strict=True):
        client = Client(name="NAME", role=role, token=b"", created="")
        told |= set(codes(line))
        assert line.startswith(f"| {role.value} NAME ")
        assert told - {"signals-test"} == live(client_permissions(client, topics))


def live(allowed: Permissions) -> set[str]:
    """The filters that are not below ``signals-test``."""
    return {topic for topic in (*allowed.publish, *allowed.subscribe) if not topic.startswith("signals-test/")}
