"""An image as buildah made it, and a container of it in namespaces of its own."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.e2e.deployment import until

LAUNCH = Path(__file__).with_name("launch.py")
WITHOUT_A_CACHE = 'mkdir -p "$0" && mount --types tmpfs tmpfs "$0" && exec "$@"'
POST = """
import sys, urllib.request
request = urllib.request.Request(sys.argv[1], data=sys.argv[2].encode(), method="POST")
with urllib.request.urlopen(request, timeout=10) as response:
    print(response.status, response.read().decode())
"""


class Buildah:
    """A store of images in one folder."""

    def __init__(self, folder: Path, program: str) -> None:
        self._folder = folder
        # What it mounts and what it would keep of a build outside of the folder ends with each command.
        self._command = ["unshare", "--mount", "sh", "-c", WITHOUT_A_CACHE, "/var/lib/containers/cache"]
        self._command += [program, "--root", str(folder / "store"), "--runroot", str(folder / "run")]
        self._command += ["--storage-driver", "vfs"]

    def __call__(self, *arguments: str) -> str:
        """Run a command of buildah; its output."""
        words, environ = [*self._command, *arguments], os.environ | {"TMPDIR": str(self._folder)}
        done = subprocess.run(words, env=environ, capture_output=True, text=True, check=False, timeout=300)
        assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-4000:]
        return done.stdout.strip()

    def close(self) -> None:
        """Remove all that is in the store."""
        self("umount", "--all")
        shutil.rmtree(self._folder)


@dataclass(frozen=True, slots=True)
class Image:
    """A built image.

    Args:
        root: its files.
        base: those of the image that it stands on.
        config: what its container is started with, as Docker has it.
        size: bytes.
    """

    root: Path
    base: Path
    config: Mapping[str, Any]
    size: int

    @property
    def command(self) -> list[str]:
        """What a container runs."""
        return [*self.config["Entrypoint"], *self.config["Cmd"]]

    @property
    def user(self) -> str:
        """Who runs it."""
        uid, _, gid = self.config["User"].partition(":")
        assert uid == gid
        return uid


class Container:
    """One container of an image, with a data folder as the volume that Docker makes of the image's own."""

    def __init__(self, image: Image, folder: Path) -> None:
        self._image = image
        self.data = folder / "data"
        self._log = folder / "container.log"
        if not self.data.exists():
            like = (image.root / "data").stat()
            self.data.mkdir(mode=like.st_mode & 0o777)
            shutil.chown(self.data, like.st_uid, like.st_gid)
        self.process: subprocess.Popen[bytes] | None = None

    def start(self, *command: str, **environment: str) -> None:
        """Start it, with the image's own command unless one is given."""
        unshare = ["setpriv", "--pdeathsig", "KILL", "unshare", "--mount", "--pid", "--net", "--fork", "--kill-child"]
        launch = [sys.executable, str(LAUNCH), str(self._image.root), str(self.data), self._image.user]
        pairs = [*self._image.config["Env"], *(f"{name}={value}" for name, value in environment.items())]
        words = [*unshare, *launch, *pairs, "--", *(command or self._image.command)]
        with self._log.open("ab") as log:
            self.process = subprocess.Popen(words, stdout=log, stderr=log)

    @property
    def said(self) -> str:
        """All that it wrote to its output."""
        return self._log.read_text()

    @property
    def pid(self) -> int:
        """Process 1 of the container, as the host counts."""
        assert self.process is not None
        own = self.process.pid
        return int(until(lambda: Path(f"/proc/{own}/task/{own}/children").read_text().split())[0])

    def healthy(self) -> bool:
        """Whether the image's health check says so."""
        assert self.process is not None
        assert self.process.poll() is None, self.said
        kind, *command = self._image.config["Healthcheck"]["Test"]
        assert kind == "CMD"
        return self.run(*command).returncode == 0

    def run(self, *command: str) -> subprocess.CompletedProcess[str]:
        """Run a command in it, as ``docker exec`` does."""
        enter = ["nsenter", "--target", str(self.pid), "--mount", "--pid", "--net", "--root", "--wd"]
        enter += ["--setuid", self._image.user, "--setgid", self._image.user]
        words = [*enter, "env", "--ignore-environment", *self._image.config["Env"], *command]
        return subprocess.run(words, capture_output=True, text=True, check=False, timeout=60)

    def cli(self, *arguments: str) -> Any:
        """Run a command of signal-gateway in it; its JSON."""
        done = self.run("signal-gateway", *arguments, "--json")
        assert done.returncode == 0, done.stdout + done.stderr
        return json.loads(done.stdout)

    def post(self, url: str, body: str) -> str:
        """Post something within its network; the status and the answer."""
        words = ["nsenter", "--target", str(self.pid), "--net", sys.executable, "-c", POST, url, body]
        return subprocess.run(words, capture_output=True, text=True, check=True, timeout=60).stdout

    def close(self) -> None:
        """End it: process 1, with which all others of it end."""
        if self.process is not None and self.process.poll() is None:
            os.kill(self.pid, signal.SIGKILL)
            self.process.wait()
