"""A bot or a client as a program: what its user can mend ends it with a line, all else with its traceback."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Callable, Coroutine
from typing import Any

from bot_plugin.errors import LinkRefused, NameTaken, SettingsError

MENDABLE = (SettingsError, NameTaken, LinkRefused)
"""What the person who starts a program can do something about; the errors' own words say what."""

_INTERRUPTED = 130
"""The exit code of a program that Ctrl-C ended, as shells have it."""


def run_program(main: Callable[[], Coroutine[Any, Any, object] | object]) -> None:
    """Run ``main``, which may be a coroutine function; wrong settings, login or name end the program with one line.

    Args:
        main: reads settings, and does the work. Its other errors are raised as they are.

    Raises:
        SystemExit: settings, login or name are wrong (exit code 1), or Ctrl-C was pressed (130).
    """
    try:
        begun = main()
        if inspect.iscoroutine(begun):
            asyncio.run(begun)
    except MENDABLE as error:
        raise SystemExit(str(error)) from None
    except KeyboardInterrupt:
        raise SystemExit(_INTERRUPTED) from None
