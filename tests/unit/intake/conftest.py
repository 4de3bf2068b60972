"""One way through the stations, as the pipeline takes it."""

from collections.abc import Callable

import pytest

from gateway.intake import Source, draft, each, guard, identify, normalise, parse, seal, valid_until
from gateway.journal.model import Draft
from schemas.fields import instant, to_micros

NOW = to_micros(instant("2026-11-22T10:15:01.5Z"))


@pytest.fixture
def now() -> int:
    return NOW


@pytest.fixture
def take() -> Callable[..., list[Draft]]:
    def station(document, source):
        signal = normalise(document, source=source)
        ends = guard(signal, source=source, accepted_at=NOW, valid_until=valid_until(document))
        envelope = seal(signal, source=source, id_="0" * 36, accepted_at=NOW, expires_at=ends, traceparent=None)
        identity = identify(document, signal, source=source)
        return draft(envelope, signal, source=source, destinations=(), identity=identity)

    def take(body: bytes | str, *, source: Source | None = None, secrets: tuple[str, ...] = ()) -> list[Draft]:
        source = source or Source(name="demo")
        raw = body.encode() if isinstance(body, str) else body
        return each(parse(raw, source=source, secrets=secrets), lambda document: station(document, source))

    return take
