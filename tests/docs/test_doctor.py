"""The doctor's page names every code and word that the doctor has, and its cures name what the brokers know."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from gateway.doctor import Grade
from gateway.doctor.cures import _CURES
from tests.docs.markdown import ROOT, codes, keyed_rows, page, rows

CALLS = {"Verdict": 1, "sound": 0, "unseen": 0, "wrong": 0}
"""What makes a verdict, and which of its arguments is the code."""


def said() -> Iterator[tuple[str, bool]]:
    """Every code in the source, and whether it can be a finding."""
    for module in (ROOT / "gateway" / "doctor").glob("*.py"):
        for node in ast.walk(ast.parse(module.read_text())):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in CALLS:
                place = CALLS[node.func.id]
                code = node.args[place] if len(node.args) > place else None
                if isinstance(code, ast.Constant):
                    yield str(code.value), node.func.id in {"Verdict", "wrong"}


def test_the_page_names_every_code() -> None:
    text = page("docs/doctor.md").partition("## What it finds")[2].partition("\n## ")[0]
    table, _, others = text.partition("\nCodes of")
    findings = {code for code, finding in said() if finding}

    assert len(findings) > 25
    assert findings == {code for row in rows(table) for code in codes(row[0])}
    assert {code for code, _ in said()} - findings == set(codes(others))


def test_every_cure_is_of_a_code() -> None:
    assert set(_CURES) <= {code for code, _ in said()}


def test_the_page_explains_every_word() -> None:
    words = {row[0] for row in rows(page("docs/doctor.md"))}

    assert {grade.word for grade in Grade} <= words
    assert keyed_rows(page("docs/doctor.md"))
