"""Logins and permissions as EMQX reads them: the rules of its file, those of its database, and its table of users."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping

from gateway.config.passwords import ROUNDS, parts
from gateway.mqtt.permissions import Permissions

Rule = tuple[str, str, str]
"""``allow`` or ``deny``; ``publish``, ``subscribe`` or ``all``; a topic filter, behind ``eq `` as it is spelled."""

HEAD = "user_id,password_hash,salt,is_superuser"

_ENDS = ("{deny, all}.",)

_HIDDEN = ("$delayed/#", "$SYS/#", "$file/#", "$file-async/#", "$queue/#", "$exclusive/#", "$q/#", "$s/#")
"""What ``#`` does not match, and a source behind the database may allow: ``$delayed/1/a`` is published to ``a``."""


def rules(may: Permissions) -> Iterator[Rule]:
    """One login's rules; the first that matches is the one that counts.

    EMQX matches what somebody subscribes to as if it were a topic, so that ``a/+`` allows ``a/#``, and ``+`` allows
    ``#``: everything. What the last level lets through is denied before it.
    """
    yield from (("deny", "subscribe", f"eq {wider}") for wider in _wider(may.subscribe))
    yield from (("allow", "publish", topic) for topic in may.publish)
    yield from (("allow", "subscribe", topic) for topic in may.subscribe)


def acl_text(everybody: Mapping[str, Permissions]) -> str:
    """The lines of an acl.conf: a term for each rule, and at the end what denies all else."""
    lines = [_term(name, rule) for name, may in sorted(everybody.items()) for rule in rules(may)]
    return "\n".join((*lines, *_ENDS)) + "\n"


def database_rules(may: Permissions) -> list[dict[str, str]]:
    """One login's rules as the API takes them; the last deny all else, whatever other sources would allow."""
    spelled = (*rules(may), *(("deny", "all", topic) for topic in (*_HIDDEN, "#")))
    return [{"permission": permission, "action": action, "topic": topic} for permission, action, topic in spelled]


def fits(kept: str) -> bool:
    """Whether EMQX can check a password by a hash; not by those of older versions, whose salts are no text."""
    rounds, salt, _ = parts(kept)
    return rounds == ROUNDS and re.fullmatch(rb"[A-Za-z0-9_-]+", salt) is not None


def users_text(hashes: Mapping[str, str]) -> str:
    """The table of users, from names and hashes that fit.

    EMQX has to be told how they are hashed: pbkdf2 with sha512, 101 iterations and 64 bytes.
    """
    return "\n".join((HEAD, *_rows(hashes))) + "\n"


def _rows(hashes: Mapping[str, str]) -> Iterator[str]:
    for name, kept in sorted(hashes.items()):
        _, salt, derived = parts(kept)
        yield f"{name},{derived.hex()},{salt.decode('ascii')},false"


def _wider(filters: Iterable[str]) -> Iterator[str]:
    """What would be allowed by the last ``+`` of a filter, where no other one is before it."""
    for topic_filter in filters:
        above, slash, last = topic_filter.rpartition("/")
        if last == "+" and "+" not in above.split("/"):
            yield f"{above}{slash}#"


def _term(name: str, rule: Rule) -> str:
    permission, action, topic = rule
    return f"{{{permission}, {{username, {_string(name)}}}, {action}, [{_string(topic)}]}}."


def _string(text: str) -> str:
    r"""A text as an Erlang string: ``\x{...}`` for whatever is not plain, so that no name ends it."""
    plain = text.isascii() and text.isprintable()
    return '"' + "".join(c if plain and c not in '"\\' else f"\\x{{{ord(c):x}}}" for c in text) + '"'
