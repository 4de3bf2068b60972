"""Says it plainly where a ``schemas`` of somebody else's stands before ours; importing this looks.

Every door that a program enters the plugin by imports it first, except for ``bot_plugin.predictions``, which needs no
``schemas``.
"""

from __future__ import annotations

import importlib
from pathlib import Path

_OURS = {"schemas", "schemas.envelope"}


def _guard() -> None:
    """Look whose ``schemas`` it is.

    Raises:
        ImportError: naming the file, and the cure.
    """
    try:
        if hasattr(importlib.import_module("schemas.envelope"), "encode_head"):
            return
    except ModuleNotFoundError as error:
        if error.name not in _OURS:  # it is ours, and a library is missing
            raise
    try:
        found = importlib.import_module("schemas")
    except ModuleNotFoundError:
        raise ImportError("the package `schemas` of signal-gateway is missing: install signal-gateway again") from None
    where = found.__file__ or next(iter(found.__path__), "?")
    raise ImportError(
        f"another package named `schemas` hides the one of signal-gateway: {where}. "
        f"Rename it, or start Python where {Path(where).parent} is not before site-packages on sys.path "
        "(python -P, or PYTHONSAFEPATH=1, leaves the working directory out)."
    )


_guard()
