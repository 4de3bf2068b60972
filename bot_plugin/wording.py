"""What a receipt can carry of a text, and of an error."""

from __future__ import annotations

from schemas.secrets import redact_text

MAX_REASON = 500
_MAX_TEXT = 10_000


def describe_error(error: BaseException) -> str:
    """``Type: message``, the first line of it, without the secrets that it shows."""
    name = type(error).__name__
    try:
        lines = str(error).splitlines()
    except Exception:  # noqa: BLE001  # an error's own text may fail too
        return name
    return f"{name}: {redact_text(lines[0][:_MAX_TEXT])}" if lines else name


def in_receipt(text: str) -> str:
    """What a receipt can carry of a text: lone surrogates have no UTF-8."""
    return text[:MAX_REASON].encode(errors="replace").decode()
