"""``init``: makes the configuration, the secrets and bot ``demo``; what is there stays."""

from __future__ import annotations

import click

from gateway.cli.broker_files import RELOAD
from gateway.cli.session import Session, now_micros, session_command
from gateway.config.initialise import initialise
from gateway.config.webhook import post_url, webhook_url


@click.command()
@session_command
def command(session: Session) -> None:
    """Make what is missing: configuration, secrets, a webhook or token for each source, bot demo.

    A webhook's URL, or the token of a source of predictions, is printed once, when it is made; afterwards only keys
    rotate gives a new one.
    """
    made = initialise(session.folder, session.environ, now=now_micros())
    sources = made.settings.sources
    tokens = {source: token for source, token in made.tokens.items() if sources[source].predictions is not None}
    webhooks = {
        source: webhook_url(made.settings, source, token)
        for source, token in made.tokens.items()
        if source not in tokens
    }
    lines = [*(f"made {file}" for file in made.files), *([RELOAD] if made.rewritten else [])]
    lines = lines or [f"{session.folder.root} has everything"]
    for source, url in webhooks.items():
        lines += ["", f"webhook of {source}, shown this once (later: signal-gateway keys rotate {source}):", f"  {url}"]
    for source, token in tokens.items():
        lines += ["", f"token of {source}, shown this once (later: signal-gateway keys rotate {source}):", f"  {token}"]
        lines += [f"for POST {post_url(made.settings, sources[source])}"]
    session.emit({"made": list(made.files), "webhooks": webhooks, "tokens": tokens}, lines)
