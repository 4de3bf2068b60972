"""The TLS of a connection to the broker: what to trust, and the bot's own certificate."""

from __future__ import annotations

import ssl
from pathlib import Path

from bot_plugin.errors import SettingsError


def tls_context(*, ca: str | None, cert: str | None, key: str | None) -> ssl.SSLContext:
    """A context that checks the broker's certificate and its name, and shows the bot's where it has one.

    Args:
        ca: a file with the certificate authorities to trust; None for the system's.
        cert: a file with the bot's certificate; None for none.
        key: a file with its key; None where the certificate's file holds it too.

    Raises:
        SettingsError: naming each file that cannot be used, and why.
    """
    problems = [problem for name, file in (("ca", ca), ("cert", cert)) if (problem := _no_certificates(name, file))]
    context = ssl.create_default_context(cafile=None if problems else ca)
    if cert is not None and not problems and (problem := _show(context, cert, key)):
        problems.append(problem)
    if problems:
        raise SettingsError(problems)
    return context


def _no_certificates(name: str, file: str | None) -> str | None:
    try:
        if file is not None:
            ssl.create_default_context(cafile=file)
    except ssl.SSLError:
        return f"{name} {file!r} cannot be used: it holds no certificate in PEM form"
    except OSError as error:
        return f"{name} {file!r} cannot be used: {error.strerror or error}"
    return None


def _show(context: ssl.SSLContext, cert: str, key: str | None) -> str | None:
    """Let the bot show its certificate; the problem where it cannot."""
    name = f"key {key!r}" if key is not None else f"cert {cert!r}, which is to hold the key too,"
    try:
        Path(key or cert).read_bytes()
        context.load_cert_chain(cert, key, password=_never_ask)
    except _EncryptedError:
        return f"{name} cannot be used: it has a passphrase, and nobody enters that where a bot starts"
    except ssl.SSLError as error:
        if error.reason == "KEY_VALUES_MISMATCH":
            return f"{name} cannot be used: it is not the key of cert {cert!r}"
        return f"{name} cannot be used: it holds no key in PEM form"
    except OSError as error:
        return f"{name} cannot be used: {error.strerror or error}"
    return None


class _EncryptedError(Exception):
    """The key has a passphrase."""


def _never_ask() -> str:
    """Stand where OpenSSL would ask on the terminal, and wait."""
    raise _EncryptedError
