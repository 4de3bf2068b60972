"""``schemas``: the contract is written where it is wanted."""

from __future__ import annotations

import json
from pathlib import Path

from tests.unit.cli.conftest import Call


def test_schemas_are_exported_without_a_configuration_and_with_its_topics(call: Call, tmp_path: Path) -> None:
    exported = call("schemas", "export", "plain", "--json")
    call("init")
    config = tmp_path / "data/signal-gateway.yml"
    config.write_text(f"{config.read_text()}\ntopics: {{root: acme}}\n")
    own = call("schemas", "export", "own/contracts")

    assert (exported.code, own.code) == (0, 0)
    files = [str(path.relative_to("plain")) for path in Path("plain").rglob("*") if path.is_file()]
    assert exported.json == {"folder": "plain", "files": sorted(files)}
    assert own.out == f"{len(files)} files in own/contracts\n"
    roots = [json.loads(Path(folder, "asyncapi.json").read_text()) for folder in ("plain", "own/contracts")]
    assert [made["channels"]["bot"]["address"] for made in roots] == ["signals/v1/bot/{bot}", "acme/v1/bot/{bot}"]


def test_schemas_say_where_they_cannot_be_written(call: Call, tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("")

    assert call("schemas", "export", "taken").code == 2
    assert call("schemas", "export", "taken/below").code == 4
