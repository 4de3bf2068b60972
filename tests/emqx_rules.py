"""EMQX's rules as EMQX reads them: the terms of an acl.conf, and who matches what, as its source has it.

A rule is ``{Permission, Who, Action, Topics}``; the first that matches counts. What a client subscribes to is matched
as if it were a topic, level by level, so that ``+`` in a rule matches ``#`` in a subscription. ``eq`` compares text.
No wildcard matches a first level that begins with ``$``.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from tests.permission_matrix import plain

_TOKEN = re.compile(
    r"""(?P<space>(?:\s|%[^\n]*)+)|(?P<string>"(?:[^"\\\n]|\\x\{[0-9a-f]+\}|\\["\\])*")|(?P<atom>[a-z][A-Za-z0-9_@]*)"""
    r"""|(?P<integer>\d+)|(?P<sign>[{}\[\],.])"""
)
_ESCAPE = re.compile(r'\\x\{([0-9a-f]+)\}|\\(["\\])')
_PLACEHOLDER = re.compile(r"\$\{(\w+)\}")


class Atom(str):
    """An Erlang atom."""

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule: whom it is for is None for everybody; topics is None for every topic."""

    permission: str
    username: str | None
    action: str
    topics: tuple[str | tuple[str, str], ...] | None

    def matches(self, username: str, action: str, topic: str) -> bool:
        if self.action not in {"all", action} or self.username not in {None, username}:
            return False
        return self.topics is None or any(_topic_matches(pattern, topic, username) for pattern in self.topics)


def terms(text: str) -> list[Any]:
    """Every term of a file: tuples, lists, atoms, strings, each ended by a full stop."""
    tokens = list(_tokens(text))
    found = []
    while tokens:
        found.append(_term(tokens))
        assert tokens.pop(0) == ("sign", "."), "a term ends in a full stop"
    return found


def _tokens(text: str) -> Iterator[tuple[str, str]]:
    position = 0
    while position < len(text):
        match = _TOKEN.match(text, position)
        assert match, f"no Erlang term: {text[position : position + 60]!r}"
        position = match.end()
        assert match.lastgroup is not None
        if match.lastgroup != "space":
            yield match.lastgroup, match[0]


def _term(tokens: list[tuple[str, str]]) -> Any:
    kind, text = tokens.pop(0)
    match kind:
        case "string":
            return _ESCAPE.sub(lambda found: chr(int(found[1], 16)) if found[1] else found[2], text[1:-1])
        case "atom":
            return Atom(text)
        case "integer":
            return int(text)
    assert text in "{[", f"a term does not begin with {text}"
    closing, inner = {"{": "}", "[": "]"}[text], []
    while tokens[0] != ("sign", closing):
        inner.append(_term(tokens))
        assert tokens[0] in {("sign", ","), ("sign", closing)}
        if tokens[0] == ("sign", ","):
            tokens.pop(0)
            assert tokens[0] != ("sign", closing), "a comma is between terms"
    tokens.pop(0)
    return tuple(inner) if text == "{" else inner


def rules_of(text: str) -> list[Rule]:
    """The rules of an acl.conf; fails for what is none."""
    return [_rule(term) for term in terms(text)]


def _rule(term: Any) -> Rule:
    match term:
        case (Atom() as permission, Atom("all")):
            who, action, topics = None, "all", None
        case (Atom() as permission, Atom("all"), Atom() as action, list() as topics):
            who = None
        case (Atom() as permission, (Atom("username"), str() as who), Atom() as action, list() as topics):
            assert not isinstance(who, Atom)
        case _:
            raise AssertionError(f"no rule that this project writes: {term!r}")
    assert permission in {"allow", "deny"}
    assert action in {"publish", "subscribe", "all"}
    assert topics is None or (
        topics and all(isinstance(topic, str) and not isinstance(topic, Atom) for topic in topics)
    )
    return Rule(permission, who, action, None if topics is None else tuple(topics))


def database(username: str, kept: Iterable[Mapping[str, str]]) -> list[Rule]:
    """The rules that the API was given for a user."""
    for rule in kept:
        assert set(rule) == {"permission", "action", "topic"}
    return [
        _rule((Atom(rule["permission"]), (Atom("username"), username), Atom(rule["action"]), [rule["topic"]]))
        for rule in kept
    ]


def permits(rules: Iterable[Rule], username: str, action: str, topic: str) -> bool:
    """Whether a login may publish to a topic, or subscribe to a filter; what no rule matches is denied."""
    asked = plain(topic) if action == "subscribe" else topic
    return next((rule.permission == "allow" for rule in rules if rule.matches(username, action, asked)), False)


def _topic_matches(pattern: str | tuple[str, str], topic: str, username: str) -> bool:
    assert isinstance(pattern, str)
    if pattern.startswith("eq "):
        return topic == pattern.removeprefix("eq ")
    filled = _PLACEHOLDER.sub(lambda found: username if found[1] == "username" else "\0", pattern)
    return _words_match(topic.split("/"), filled.split("/"))


def _words_match(words: list[str], pattern: list[str]) -> bool:
    if words[0].startswith("$") and pattern[0] in {"+", "#"}:
        return False
    for place, level in enumerate(pattern):
        if level == "#" and place == len(pattern) - 1:
            return True
        if place == len(words) or level not in {"+", words[place]}:
            return False
    return len(words) == len(pattern)
