"""The Dockerfile, as far as it can be judged without building it; ``tests/image`` builds it."""

from __future__ import annotations

import json
import re
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "Dockerfile").read_text().replace("\\\n", " ")
STEPS = [line.split(maxsplit=1) for line in TEXT.splitlines() if line and not line.startswith("#")]


def steps(name: str) -> list[str]:
    return [rest for step, rest in STEPS if step == name]


def test_the_version_is_the_projects() -> None:
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]

    assert f"VERSION={version}" in steps("ARG")


def test_both_stages_stand_on_one_base_that_is_pinned_and_can_be_given() -> None:
    [base] = [rest for rest in steps("ARG") if rest.startswith("BASE_IMAGE=")]

    assert re.fullmatch(r"BASE_IMAGE=python:3\.\d+-slim-[a-z]+", base)
    assert {rest.split()[0] for rest in steps("FROM")} == {"${BASE_IMAGE}"}


def test_it_runs_as_a_user_that_is_a_number_which_kubernetes_can_check() -> None:
    assert steps("USER") == ["10001:10001"]


def test_no_shell_stands_between_the_runtime_and_the_gateway() -> None:
    [check] = steps("HEALTHCHECK")

    assert json.loads(steps("ENTRYPOINT")[0]) == ["signal-gateway"]
    assert json.loads(steps("CMD")[0]) == ["run", "--init"]
    assert json.loads(check.partition("CMD ")[2]) == ["signal-gateway", "health"]


def test_what_is_not_copied_does_not_even_reach_the_build() -> None:
    lines = [line for line in (ROOT / ".dockerignore").read_text().splitlines() if not line.startswith("#")]
    copied = {word.rstrip("/") for rest in steps("COPY") if "--from" not in rest for word in rest.split()[:-1]}

    assert lines[0] == "*"
    assert {line[1:] for line in lines if line.startswith("!")} == copied
    assert [name for name in copied if not (ROOT / name).exists()] == []


def test_nothing_is_installed_without_its_hash_and_nothing_is_compiled() -> None:
    installs = [rest for rest in steps("RUN") if "pip install" in rest]

    assert len(installs) == 2
    assert "--require-hashes --only-binary :all: --requirement /src/requirements/server.txt" in installs[0]
    assert "--no-deps --no-build-isolation --no-index /src" in installs[1]
