"""``keys``: the sources' tokens and signing secrets."""

from __future__ import annotations

from typing import Any

import click

from gateway.cli.session import Session, now_micros, session_command, source_of
from gateway.config.fields import duration
from gateway.config.keyring import Key, read_keys, rotate
from gateway.config.settings import Settings
from gateway.config.webhook import post_url, webhook_url
from gateway.intake.source import Source
from schemas.fields import from_micros, instant_text


@click.group()
def command() -> None:
    """The sources' tokens and signing secrets."""


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
@click.option("--keep", type=Duration(), default=0.0, help="How long the old one still works, such as 10m.")
@click.option("--signing", is_flag=True, help="Make a secret that signs what programs post; the token stays.")
@session_command
def rotate_key(session: Session, source: str, keep: float, *, signing: bool) -> None:
    """Give a source a new webhook or token; the old one ends at once, in a running gateway too, unless --keep is given.

    A source of predictions gets a token for Authorization: Bearer. With --signing a source gets a secret for Standard
    Webhooks instead.
    """
    settings = session.settings()
    found = source_of(settings, source)
    before = [key for key in read_keys(session.folder.keys).get(source, ()) if key.live(now_micros())]
    new = rotate(session.folder.keys, source, now=now_micros(), keep=keep, signing=signing)
    old = f"; the old one works for {keep:g} s more" if keep else "; the old one does not work any more"
    old = old if any((key.signing is not None) is signing for key in before) else ""
    what, facts = _shown(settings, found, new, signing=signing)
    (shown, *beside) = facts.values()
    lines = [f"{what} of {source}, shown this once{old}:", f"  {shown}", *(f"for POST {url}" for url in beside)]
    if not before:
        lines.append("a gateway that runs takes what a new source is sent after its next start only")
    session.emit({"source": source, **facts, "kept_seconds": keep}, lines)


def _shown(settings: Settings, source: Source, new: str, *, signing: bool) -> tuple[str, dict[str, str]]:
    """What a new token or secret is called, and what is shown of it."""
    if signing:
        return "signing secret", {"signing_secret": new, "url": post_url(settings, source)}
    if source.predictions is not None:
        return "token", {"token": new, "url": post_url(settings, source)}
    return "webhook", {"webhook": webhook_url(settings, source.name, new)}


@command.command("list")
@session_command
def list_keys(session: Session) -> None:
    """Say which tokens and secrets there are, without them."""
    now, ring = now_micros(), read_keys(session.folder.keys)
    kept = [_row(source, key) for source, keys in sorted(ring.items()) for key in keys if key.live(now)]
    lines = [f"{row['source']:<24} {row['kind']:<8} since {row['created']}  {_end(row['expires'])}" for row in kept]
    session.emit({"keys": kept}, lines or ["no source has a token: signal-gateway keys rotate SOURCE"])


def _row(source: str, key: Key) -> dict[str, Any]:
    expires = None if key.expires is None else instant_text(from_micros(key.expires))
    kind = "token" if key.signing is None else "signing"
    return {"source": source, "kind": kind, "created": instant_text(from_micros(key.created)), "expires": expires}


def _end(expires: str | None) -> str:
    return f"until {expires}" if expires else "lasting"
