"""A rendered pod on this machine: its mounts as folders, its environment and files with the paths of here."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from tests.helm.engine import ROOT, Object, configuration, container, of_kind, pod

Files = Mapping[str, str]


@dataclass(frozen=True)
class LaidOut:
    """The gateway's container below a folder.

    Args:
        root: what is ``/`` to it.
        environ: its variables, those of the image among them, and a PATH to this package's programs.
        command: what it runs.
        config: its signal-gateway.yml.
    """

    root: Path
    environ: Mapping[str, str]
    command: tuple[str, ...]
    config: Object = field(repr=False)

    def path(self, inside: str) -> Path:
        """Where a path of the container is here."""
        return self.root / inside.removeprefix("/")


def lay_out(objects: list[Object], root: Path, *, secrets: Mapping[str, Files], maps: Mapping[str, Files]) -> LaidOut:
    """Make the container's mounts.

    Args:
        objects: what Helm made of the chart.
        root: an empty folder.
        secrets: the Secrets that are there in the namespace.
        maps: the ConfigMaps that are there besides the chart's own.
    """
    mounts = {mount["mountPath"]: mount["name"] for mount in container(objects)["volumeMounts"]}
    here = re.compile(rf"(?<![\w/.])({'|'.join(map(re.escape, sorted(mounts, reverse=True)))})(?=/|$)", re.MULTILINE)

    def moved(text: str) -> str:
        return here.sub(lambda found: f"{root}{found[1]}", text)

    owned = {one["metadata"]["name"]: one["data"] for one in of_kind(objects, "ConfigMap")}
    for mounted, name in mounts.items():
        folder = root / mounted.removeprefix("/")
        folder.mkdir(parents=True)
        for key, text in _content(objects, name, secrets=secrets, maps={**maps, **owned}).items():
            (folder / key).write_text(moved(text) if key == "signal-gateway.yml" else text)
    given = {variable["name"]: moved(variable["value"]) for variable in container(objects)["env"]}
    path = os.pathsep.join([str(Path(sys.executable).parent), "/usr/bin", "/bin"])
    return LaidOut(
        root=root,
        environ={**image_environment(), **given, "PATH": path, "PYTHONPATH": str(ROOT)},
        command=tuple(container(objects)["command"]),
        config=configuration(objects),
    )


def _content(objects: list[Object], name: str, *, secrets: Mapping[str, Files], maps: Mapping[str, Files]) -> Files:
    """What is in a volume of the pod."""
    (volume,) = [one for one in [*pod(objects)["spec"]["volumes"], *_claims(objects)] if one["name"] == name]
    if "secret" in volume:
        return secrets[volume["secret"]["secretName"]]
    return maps[volume["configMap"]["name"]] if "configMap" in volume else {}


def _claims(objects: list[Object]) -> list[Object]:
    (stateful,) = of_kind(objects, "StatefulSet")
    return [{"name": claim["metadata"]["name"]} for claim in stateful["spec"].get("volumeClaimTemplates", [])]


def image_environment() -> dict[str, str]:
    """The gateway's variables that the image itself sets, and which the pod has unless it sets them too."""
    dockerfile = ROOT / "Dockerfile"
    text = dockerfile.read_text() if dockerfile.exists() else ""
    return dict(re.findall(r"(?m)(?<=[\s])(SIGNAL_GATEWAY_\w+)=(\S+)", text))
