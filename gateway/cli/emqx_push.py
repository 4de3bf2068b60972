"""Put into a running EMQX what it lacks of everybody's logins and permissions."""

from __future__ import annotations

from gateway.cli.emqx_api import EmqxApi
from gateway.cli.failure import Failure
from gateway.config.credentials import allowed, hashes_with_own
from gateway.config.emqx import database_rules, fits, users_text
from gateway.config.emqx_logins import Pending, pending, remember, there, wanted
from gateway.config.settings import EmqxSettings, Settings


def push(settings: Settings, emqx: EmqxSettings, *, everybody: bool = False) -> Pending:
    """Put and remove what differs, and say what; whoever had another login or other rules loses its connections.

    Call it with ``folder.changes`` locked. What an interrupted one left is done by the next.

    Args:
        settings: whose logins and permissions they are.
        emqx: where EMQX is.
        everybody: put everybody there, whatever EMQX is known to have.

    Raises:
        Failure: EMQX does not answer, or refuses.
    """
    api, has, wants = EmqxApi(emqx), there(settings.folder), wanted(settings)
    may, kept = allowed(settings), hashes_with_own(settings)
    unfit = {name for name, one in kept.items() if not fits(one)}
    lacks = pending(wants, has).without(unfit)
    change = pending(wants, {} if everybody else has).without(unfit)
    api.check()
    for name in lacks.remove:
        api.remove(name)
        remember(settings.folder, has := {one: digest for one, digest in has.items() if one != name})
    if change.put:
        for name in change.put:
            api.put_rules(name, database_rules(may[name]))
        api.put_users(users_text({name: kept[name] for name in change.put}))
        for name in lacks.put:
            api.disconnect(name)
        remember(settings.folder, has | {name: wants[name] for name in change.put})
    return Pending(put=change.put, remove=lacks.remove, unfit=change.unfit)


def check_before(settings: Settings) -> None:
    """Return where logins can be changed now.

    Raises:
        Failure: EMQX is configured and cannot take them; nothing is changed yet.
    """
    if settings.emqx is None:
        return
    try:
        EmqxApi(settings.emqx).check()
    except Failure as failure:
        raise Failure(failure.exit_code, f"{failure}; nothing was changed", **failure.facts) from None
