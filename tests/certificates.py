"""A certificate authority of a test's own, and what it signs."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.brokers import require

_KEY = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-noenc")


@dataclass(frozen=True)
class Signed:
    """A certificate and its key, in PEM files."""

    cert: str
    key: str


class Authority:
    """Signs certificates with the openssl program.

    Args:
        folder: where its files are.
        name: what it is called.
    """

    def __init__(self, folder: Path, *, name: str = "authority") -> None:
        self._program = require("openssl", package="openssl")
        self._folder = folder
        self._name = name
        itself = self._files(name)
        self._run("req", "-x509", *_KEY, "-days", "2", "-subj", f"/CN={name}", *self._out(itself))
        self.ca = itself.cert

    def sign(self, name: str, *, days: int = 2) -> Signed:
        """A certificate for a host or a bot."""
        files = self._files(name)
        request, extensions = self._folder / f"{name}.csr", self._folder / f"{name}.ext"
        extensions.write_text(f"subjectAltName=DNS:{name},IP:127.0.0.1\n")
        self._run("req", *_KEY, "-subj", f"/CN={name}", "-keyout", files.key, "-out", request)
        itself = self._files(self._name)
        signer = ("-CA", itself.cert, "-CAkey", itself.key, "-CAcreateserial")
        self._run(
            "x509", "-req", "-in", request, "-days", str(days), *signer, "-extfile", extensions, "-out", files.cert
        )
        return files

    def lock(self, signed: Signed, *, passphrase: str) -> str:
        """The key once more, in a file with a passphrase."""
        locked = f"{signed.key}.locked"
        self._run("pkey", "-in", signed.key, "-aes256", "-passout", f"pass:{passphrase}", "-out", locked)
        return locked

    def _files(self, name: str) -> Signed:
        return Signed(str(self._folder / f"{name}.crt"), str(self._folder / f"{name}.key"))

    def _out(self, files: Signed) -> tuple[str, ...]:
        return ("-keyout", files.key, "-out", files.cert)

    def _run(self, *arguments: str | Path) -> None:
        subprocess.run([self._program, *arguments], check=True, capture_output=True)


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    """An authority of this file's own."""
    return Authority(tmp_path_factory.mktemp("authority"))
