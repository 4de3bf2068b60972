"""The shape of the code: every module says what it is, and none grows past what a reader takes in at once."""

from __future__ import annotations

import ast
import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
MODULES = sorted(
    module for package in ("schemas", "gateway", "bot_plugin") for module in (ROOT / package).rglob("*.py")
)
MAX_MODULE_LINES = 300
MAX_FUNCTION_LINES = 60


def place(module: Path, line: int | None = None) -> str:
    return f"{module.relative_to(ROOT)}{'' if line is None else f':{line}'}"


def test_every_module_opens_with_one_sentence_that_says_what_it_is() -> None:
    wrong = []
    for module in MODULES:
        sentence = (ast.get_docstring(ast.parse(module.read_text())) or "").split("\n\n")[0]
        if not sentence.endswith(".") or len(sentence) > 250:
            wrong.append(f"{place(module)}: {sentence!r}")
    assert wrong == []


def test_no_module_is_longer_than_a_reader_takes_in_at_once() -> None:
    lengths = {place(module): len(module.read_text().splitlines()) for module in MODULES}
    assert {module: length for module, length in lengths.items() if length > MAX_MODULE_LINES} == {}


def test_no_function_is_longer_than_a_screen() -> None:
    long = {}
    for module in MODULES:
        for node in ast.walk(ast.parse(module.read_text())):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                lines = (node.end_lineno or node.lineno) - node.lineno + 1
                if lines > MAX_FUNCTION_LINES:
                    long[f"{place(module, node.lineno)} {node.name}"] = lines
    assert long == {}


def test_every_folder_of_code_is_a_package() -> None:
    folders = {module.parent for module in MODULES}
    assert [place(folder) for folder in sorted(folders) if not (folder / "__init__.py").exists()] == []


def test_no_module_is_a_heap_without_a_subject() -> None:
    heaps = re.compile(r"utils?|helpers?|common|misc|tools?|base")
    assert [place(module) for module in MODULES if heaps.fullmatch(module.stem.strip("_"))] == []
