"""The image, built once, and containers of it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.brokers import require
from tests.image.container import Buildah, Container, Image

ROOT = Path(__file__).parents[2]
CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "signal-gateway"
REVISION = "0123456789abcdef"
PYTHON = "3.11"


@pytest.fixture(scope="session")
def buildah(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Buildah]:
    """An empty store of images, removed at the end."""
    program = require("buildah", package="buildah")
    if os.geteuid() != 0:
        pytest.skip("only root can build and run an image here")
    if subprocess.run(["unshare", "--mount", "--pid", "--net", "--fork", "true"], check=False).returncode != 0:
        pytest.skip("no namespaces can be made here, which takes CAP_SYS_ADMIN")
    buildah = Buildah(tmp_path_factory.mktemp("buildah"), program)
    yield buildah
    buildah.close()


@pytest.fixture(scope="session")
def wheels(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the image installs, fetched by this machine's pip: the build itself has no network to use."""
    folder = tmp_path_factory.mktemp("wheels")
    pip = [sys.executable, "-m", "pip", "download", "-qq", "--disable-pip-version-check", "--no-deps"]
    pip += ["--require-hashes", "--only-binary", ":all:", "--python-version", PYTHON]
    pip += ["--requirement", str(ROOT / "requirements/server.txt"), "--dest", str(folder)]
    subprocess.run(pip, check=True, env={**os.environ, "PIP_CACHE_DIR": str(CACHE / "pip")}, timeout=300)
    return folder


@pytest.fixture(scope="session")
def image(buildah: Buildah, wheels: Path) -> Image:
    """The image that the Dockerfile makes on a base of debootstrap's."""
    require("debootstrap", package="debootstrap")
    base = subprocess.run([ROOT / "tests/image/base", CACHE], capture_output=True, text=True, check=True).stdout.strip()
    below = buildah("from", "scratch")
    buildah("add", below, base, "/")
    buildah("commit", "--quiet", below, "base:test")
    arguments = {"BASE_IMAGE": "localhost/base:test", "REVISION": REVISION}
    arguments |= {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": "/wheels"}
    given = [word for name, value in arguments.items() for word in ("--build-arg", f"{name}={value}")]
    buildah("bud", "--isolation", "chroot", "--format", "docker", "--pull-never", *given,
            "--volume", f"{wheels}:/wheels:ro", "--tag", "gateway:test", str(ROOT))  # fmt: skip
    [listed] = json.loads(buildah("images", "--json", "gateway:test"))
    return Image(
        root=Path(buildah("mount", buildah("from", "--pull-never", "gateway:test"))),
        base=Path(buildah("mount", below)),
        config=json.loads(buildah("inspect", "--type", "image", "gateway:test"))["Docker"]["config"],
        size=megabytes(listed["size"]),
    )


def megabytes(size: str) -> int:
    """Bytes, of what buildah shows to people."""
    number, unit = size.split()
    return int(float(number) * {"KB": 1_000, "MB": 1_000_000, "GB": 1_000_000_000}[unit.upper()])


@pytest.fixture
def container(image: Image, tmp_path: Path) -> Iterator[Callable[..., Container]]:
    """Start containers of the image, all on the same data folder."""
    with ExitStack() as stack:

        def start(*command: str, **environment: str) -> Container:
            made = Container(image, tmp_path)
            stack.callback(made.close)
            made.start(*command, **environment)
            return made

        yield start
