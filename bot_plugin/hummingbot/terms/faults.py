"""Why something could not be done, in words for whoever asked: the field, the file, the exchange."""

from __future__ import annotations

from collections.abc import Collection
from traceback import walk_tb
from typing import Any

from bot_plugin.settings_files import place_in_yaml
from bot_plugin.wording import describe_error
from schemas.secrets import redact_text

_FIELDS = 8
"""Wrong fields that are named."""


def why(error: BaseException, *, exchanges: Collection[str] = (), secrets: Collection[str] = ()) -> str:
    """An error of Hummingbot as words, without the secrets that it may repeat.

    Args:
        error: what was raised.
        exchanges: the exchanges that it knows.
        secrets: values that must not be told.
    """
    if fields := fields_of(error):
        return redact_text("; ".join(f"{name}: {words}" for name, words in fields), values=secrets)
    if isinstance(error, KeyError) and _raised_in(error, "create_connector") and error.args[0] not in exchanges:
        return f"Hummingbot has no exchange {str(error.args[0])!r}"
    if isinstance(error, ValueError) and (pair := _unspelled(error)) is not None:
        words = f"a pair is spelled BTC-USDT, not {pair!r}: look in the configuration for the markets that it names"
        return redact_text(words, values=secrets)
    if isinstance(error, FileNotFoundError) and error.filename is not None:
        return f"there is no file {error.filename}"
    if place := place_in_yaml(error):
        return redact_text(f"it is not YAML{place}", values=secrets)
    if isinstance(error, ModuleNotFoundError):
        return str(error)
    words = describe_error(error)
    return redact_text(words.removeprefix("ValueError: "), values=secrets)


def fields_of(error: BaseException) -> list[tuple[str, str]]:
    """The fields that a model refused, each with the validator's words; none where the error is not a model's."""
    listed = getattr(error, "errors", None)
    if not callable(listed):
        return []
    try:
        entries = list(listed())
    except Exception:  # noqa: BLE001  # another library's method of that name
        return []
    entries = [entry for entry in entries if isinstance(entry, dict) and "msg" in entry]
    title = str(getattr(error, "title", "it"))
    return [(_place(entry, title), _words(entry)) for entry in entries[:_FIELDS]]


def _place(entry: dict[str, Any], title: str) -> str:
    return ".".join(str(part) for part in entry.get("loc", ())) or title


def _words(entry: dict[str, Any]) -> str:
    return str(entry["msg"]).removeprefix("Value error, ").removeprefix("Assertion failed, ")


def _unspelled(error: ValueError) -> str | None:
    """The pair that Hummingbot could not take apart, where that is what it stumbled over: its own words name none."""
    if "values to unpack" not in str(error):
        return None
    innermost = list(walk_tb(error.__traceback__))[-2:]  # a comprehension has a frame of its own
    pairs = (frame.f_locals.get("trading_pair") for frame, _ in innermost)
    return next((pair for pair in pairs if isinstance(pair, str) and pair.count("-") != 1), None)


def _raised_in(error: BaseException, function: str) -> bool:
    return any(frame.f_code.co_name == function for frame, _ in walk_tb(error.__traceback__))
