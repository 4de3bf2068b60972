"""The keys that sign commands, in files as bots read them too."""

from __future__ import annotations

from pathlib import Path

from schemas.signature import KEY_SHAPE, CommandKey, read_key


def read_command_key(file: Path) -> CommandKey:
    """The first key of a file; lines that begin with ``#`` are comments.

    Raises:
        ValueError: it cannot be used; the text says why, and never shows the secret.
    """
    try:
        lines = (line.strip() for line in file.read_text(encoding="ascii").splitlines())
        return read_key(next((line for line in lines if line and not line.startswith("#")), ""))
    except OSError as error:
        raise ValueError(f"{file} cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise ValueError(f"{file}: a key is spelled {KEY_SHAPE}") from None
    except ValueError as error:
        raise ValueError(f"{file}: {error}") from None
