"""``keys``: the sources' webhook tokens."""

from __future__ import annotations

from typing import Any

import click

from gateway.cli.session import Session, now_micros, session_command, source_of
from gateway.config.fields import duration
from gateway.config.keyring import Key, read_keys, rotate
from gateway.config.webhook import webhook_url
from schemas.fields import from_micros, instant_text


@click.group()
def command() -> None:
    """The webhooks' tokens."""


class Duration(click.ParamType[float]):
    """A duration on the command line."""

    name = "duration"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        try:
            return value if isinstance(value, float) else duration(value)
        except ValueError as error:
            self.fail(f"{value!r} {error}", param, ctx)


@command.command("rotate")
@click.argument("source")
@click.option("--keep", type=Duration(), default=0.0, help="How long the old webhook still works, such as 10m.")
@session_command
def rotate_key(session: Session, source: str, keep: float) -> None:
    """Give a source a new webhook; the old one ends at once, also in a running gateway, unless --keep is given."""
    settings = session.settings()
    source_of(settings, source)
    url = webhook_url(settings, source, rotate(session.folder.keys, source, now=now_micros(), keep=keep))
    old = f"the old one works for {keep:g} s more" if keep else "the old one does not work any more"
    session.emit(
        {"source": source, "webhook": url, "kept_seconds": keep},
        [f"webhook of {source}, shown this once; {old}:", f"  {url}"],
    )


@command.command("list")
@session_command
def list_keys(session: Session) -> None:
    """Say which tokens there are, without the tokens."""
    now, ring = now_micros(), read_keys(session.folder.keys)
    kept = [_row(source, key) for source, keys in sorted(ring.items()) for key in keys if key.live(now)]
    lines = [f"{row['source']:<24} since {row['created']}  {_end(row['expires'])}" for row in kept]
    session.emit({"keys": kept}, lines or ["no source has a token: signal-gateway keys rotate SOURCE"])


def _row(source: str, key: Key) -> dict[str, Any]:
    expires = None if key.expires is None else instant_text(from_micros(key.expires))
    return {"source": source, "created": instant_text(from_micros(key.created)), "expires": expires}


def _end(expires: str | None) -> str:
    return f"until {expires}" if expires else "lasting"
