"""What an external broker is told of logins that changed, and what is left to do there."""

from __future__ import annotations

from gateway.cli.emqx_push import push
from gateway.cli.failure import Failure
from gateway.config.emqx_logins import Pending
from gateway.config.mosquitto import write_mosquitto
from gateway.config.settings import EmqxSettings, Settings

RELOAD = "Mosquitto's files are written; it reads them again on SIGHUP: systemctl reload mosquitto"


def tell_broker(settings: Settings) -> list[str]:
    """Bring an external broker's logins up to date, and say what the operator has left to do; nothing mostly.

    Call it with ``folder.changes`` locked.

    Raises:
        Failure: EMQX did not take them.
    """
    files = write_mosquitto(settings)
    left = list(_pushed(settings, settings.emqx).left) if settings.emqx else []
    if files:
        left += [RELOAD]
    if left or settings.embedded or settings.emqx:
        return ["", *left] if left else []
    return ["", "the broker is an external one: change the login there too; its permissions: signal-gateway broker-acl"]


def _pushed(settings: Settings, emqx: EmqxSettings) -> Pending:
    try:
        return push(settings, emqx)
    except Failure as failure:
        again = "it is changed here, and not there yet: signal-gateway emqx push"
        new = "a new password, which was not shown, rotate makes again"
        raise Failure(failure.exit_code, f"{failure}; {again}; {new}", **failure.facts) from None
