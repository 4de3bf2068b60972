"""OpenAPI and AsyncAPI are valid, are what is committed, and name what the code has."""

from __future__ import annotations

import json
import lzma
from itertools import combinations
from pathlib import Path
from typing import Any, cast

import pytest
from aiohttp.test_utils import make_mocked_request
from jsonschema import Draft7Validator
from jsonschema import Draft202012Validator as Validator
from openapi_spec_validator import OpenAPIV31SpecValidator

from gateway.telemetry import NullTelemetry
from gateway.telemetry.labels import ROUTES
from gateway.web import ApiKeys, Inside, Private, PrivateSettings, Public, PublicSettings
from gateway.web.contracts import documents, page, spelled
from gateway.web.contracts.private import private_operations
from gateway.web.contracts.problems import STATUSES
from gateway.web.contracts.public import public_operations
from gateway.web.roles import OPEN, ROLES
from schemas.envelope import RECEIPTED, SIGNALS
from schemas.export import asyncapi
from schemas.topics import TELEMETRY, SignalTopic, Topics
from tests.docs.markdown import ROOT, blocks, codes, keyed_rows
from tests.docs.markdown import page as text_of
from tests.docs.test_reference import problems

COMMITTED = ROOT / "docs" / "contracts"
DOCUMENTS = documents(Topics())
ASYNCAPI = DOCUMENTS["asyncapi.json"]
OPENAPIS = ("openapi.json", "openapi-public.json")
OPERATIONS = {"private": [*private_operations()], "public": [*public_operations()]}


def its_own_schema() -> Any:
    with lzma.open(Path(__file__).with_name("asyncapi-3.0.0.json.xz")) as file:
        return json.load(file)


@pytest.fixture(scope="module")
def asyncapi_validator() -> Draft7Validator:
    return Draft7Validator(its_own_schema())


def test_the_committed_documents_are_those_that_the_code_makes() -> None:
    """Run ``make contracts`` where this fails, and read docs/contracts.md before the change is committed."""
    committed = {str(path.relative_to(COMMITTED)): path.read_bytes() for path in COMMITTED.rglob("*") if path.is_file()}
    made = {path: spelled(document) for path, document in DOCUMENTS.items()} | {"index.html": page(DOCUMENTS)}

    assert sorted(committed) == sorted(made)
    assert [path for path, content in made.items() if committed[path] != content] == []


@pytest.mark.parametrize("name", OPENAPIS)
def test_an_openapi_document_is_one_of_version_3_1(name: str) -> None:
    assert DOCUMENTS[name]["openapi"].startswith("3.1.")
    assert [*OpenAPIV31SpecValidator(DOCUMENTS[name]).iter_errors()] == []


@pytest.mark.parametrize("name", [*OPENAPIS, "asyncapi.json"])
def test_every_component_is_a_schema_of_draft_2020_12(name: str) -> None:
    components = DOCUMENTS[name]["components"]["schemas"]

    assert components
    for schema in components.values():
        Validator.check_schema(schema)


def test_the_asyncapi_document_is_valid_by_asyncapis_own_schema(asyncapi_validator: Draft7Validator) -> None:
    assert [error.message for error in asyncapi_validator.iter_errors(ASYNCAPI)] == []


@pytest.mark.parametrize(
    ("path", "wrong"),
    [
        (("operations", "send-trade", "action"), "shout"),
        (("operations", "send-trade", "bindings", "mqtt", "qos"), 7),
        (("channels", "trade", "address"), 1),
    ],
)
def test_that_schema_finds_what_is_wrong(
    asyncapi_validator: Draft7Validator, path: tuple[str, ...], wrong: Any
) -> None:
    document = json.loads(spelled(ASYNCAPI))
    inner = document
    for name in path[:-1]:
        inner = inner[name]
    inner[path[-1]] = wrong

    assert not asyncapi_validator.is_valid(document)


def references(document: Any) -> set[str]:
    if isinstance(document, dict):
        own = {document["$ref"]} if isinstance(document.get("$ref"), str) else set()
        return own.union(*map(references, document.values()))
    return set().union(*map(references, document)) if isinstance(document, list) else set()


@pytest.mark.parametrize("name", DOCUMENTS)
def test_every_reference_leads_somewhere_in_its_own_document(name: str) -> None:
    for reference in references(DOCUMENTS[name]):
        inner = DOCUMENTS[name]
        assert reference.startswith("#/")
        for step in reference[2:].split("/"):
            inner = inner[step]
        assert inner


def test_one_name_means_one_schema_in_every_document() -> None:
    parts = [document["components"]["schemas"] for document in DOCUMENTS.values() if "components" in document]

    for left, right in combinations(parts, 2):
        shared = left.keys() & right.keys()
        assert {name: left[name] for name in shared} == {name: right[name] for name in shared}


def test_the_topics_are_those_that_the_tree_builds_also_below_another_root() -> None:
    topics = Topics(root="acme/signals", namespace="acme/bots")
    addresses = {name: channel["address"] for name, channel in asyncapi(topics)["channels"].items()}

    def built(name: str, **values: str) -> str:
        return addresses[name].format(**values)

    place = {"source": "tv", "instrument": "BTC-USDT"}
    for body in ("trade", "prediction", "alert"):
        assert built(body, **place) == topics.signal(SignalTopic(body, "tv", "BTC-USDT"))
        assert built(f"{body}-test", **place) == topics.signal(SignalTopic(body, "tv", "BTC-USDT", test=True))
    assert built("receipt", bot="one") == topics.receipt("one")
    assert built("receipted", bot="one") == topics.receipted("one")
    assert built("bot", bot="one") == topics.bot("one")
    assert built("gateway", instance="g") == topics.gateway("g")
    assert built("reply", bot="one", client="desk", call="c1") == topics.reply("one", "desk", "c1")
    assert built("command-balance-limit", bot="one") == topics.command("one", "balance/limit")
    assert built("command", bot="one", command="sell") == topics.command("one", "command/sell")
    assert built("external-event", bot="one", event="tv") == topics.external_event("one", "tv")
    assert built("ml-signals", pair="btc_usdt") == topics.ml_signals("BTC-USDT")
    assert [built(f"telemetry-{name}", bot="one") for name in TELEMETRY] == [
        topics.telemetry("one", name) for name in TELEMETRY
    ]


def test_only_cards_are_retained_and_every_message_is_of_qos_1() -> None:
    bound = {name: operation["bindings"]["mqtt"] for name, operation in ASYNCAPI["operations"].items()}

    assert {name for name, mqtt in bound.items() if mqtt["retain"]} == {"receive-bot", "send-gateway"}
    assert {mqtt["qos"] for mqtt in bound.values()} == {1}


def test_every_type_of_envelope_has_a_channel() -> None:
    named = {message for channel in ASYNCAPI["channels"].values() for message in channel["messages"]}

    assert SIGNALS | {RECEIPTED} <= named


def test_every_route_has_an_operation_and_its_path_leads_to_it() -> None:
    inside: Any = object.__new__(Inside)
    for field in Inside.__dataclass_fields__:
        object.__setattr__(inside, field, Topics() if field == "topics" else None)
    telemetry = NullTelemetry()
    sites = {
        "private": Private(inside, settings=PrivateSettings(), keys=ApiKeys({}), telemetry=telemetry),
        "public": Public(
            cast("Any", None),
            settings=PublicSettings(),
            telemetry=telemetry,
            now=lambda: 0,
            posts=cast("Any", object()),
        ),
    }
    for listener, operations in OPERATIONS.items():
        for operation in operations:
            path = operation.path.replace("{", "").replace("}", "")
            request = make_mocked_request(operation.method.upper(), path)
            assert sites[listener].route(request)[0] == operation.route, path

    assert {operation.route for operations in OPERATIONS.values() for operation in operations} == ROUTES


def test_an_operation_is_open_where_its_route_needs_no_key_and_else_names_the_role() -> None:
    for operation in OPERATIONS["private"]:
        described = DOCUMENTS["openapi.json"]["paths"][operation.path][operation.method]

        assert (not operation.secrets) == (operation.route in OPEN) == ("security" not in described)
        assert not operation.secrets or described["description"] == f"Role: `{ROLES[operation.route].value}`."


def test_every_problem_of_the_code_is_known_with_its_status() -> None:
    assert dict(problems()) == STATUSES


def test_every_problem_is_an_answer_of_some_operation() -> None:
    answered = {code for operations in OPERATIONS.values() for operation in operations for code in operation.problems}

    assert STATUSES.keys() - answered == {"method_not_allowed"}


def test_the_contracts_page_names_every_document_and_every_kind_of_schema() -> None:
    text = text_of("docs/contracts.md")
    named = set(codes(text))
    kinds = {name.partition("/")[2].partition(".")[0] for name in DOCUMENTS if name.startswith("schemas/")}

    assert {name for name in DOCUMENTS if "/" not in name} <= named
    assert kinds <= {name.partition(".")[0] for name in keyed_rows(text)}


def test_the_pages_own_examples_validate_what_they_show(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    shown = [block for block in blocks(text_of("docs/contracts.md")) if block.language == "python"]
    assert shown
    for block in shown:
        exec(compile(block.text, "docs/contracts.md", "exec"), {})
