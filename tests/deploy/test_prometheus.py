"""What Prometheus is started with is right by its own tool."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

from tests.brokers import require
from tests.deploy.compose import FOLDER, document


def test_promtool_finds_nothing_wrong_with_the_configuration_and_its_rules(tmp_path: Path) -> None:
    promtool = require("promtool", package="prometheus")
    for mount in document()["services"]["prometheus"]["volumes"]:
        source, inside, *_ = mount.split(":")
        if inside.startswith("/etc/prometheus/"):
            shutil.copy(FOLDER / source, tmp_path / Path(inside).name)
    command = [promtool, "check", "config", str(tmp_path / "prometheus.yml")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stdout + done.stderr
    assert "1 rule files found" in done.stdout
