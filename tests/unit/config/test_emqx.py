"""EMQX's rules and logins, read as EMQX reads them: everybody hears and says what is theirs, and nothing else."""

from __future__ import annotations

import csv
import hashlib
import io
from base64 import b64encode
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.config.credentials import allowed, hashes_with_own
from gateway.config.emqx import acl_text, database_rules, fits, users_text
from gateway.config.passwords import hashed
from gateway.config.settings import Settings
from gateway.mqtt import Permissions
from tests.emqx_rules import Rule, database, permits, rules_of, terms
from tests.permission_matrix import ASKED, GATEWAY, PEOPLE, PLACES, heard_by, reached, said_by, settled

CONFIGURATION = """
broker: {kind: external, password_file: secrets/gateway-broker.password}
emqx: {url: "http://127.0.0.1:18083", key_file: secrets/emqx.key}
"""
STRANGER = "stranger"
KINDS = ("file", "database")


@pytest.fixture(scope="module")
def everybody(tmp_path_factory: pytest.TempPathFactory) -> tuple[Settings, dict[str, str]]:
    return settled(tmp_path_factory.mktemp("data"), CONFIGURATION)


@pytest.fixture(scope="module")
def kept(everybody: tuple[Settings, dict[str, str]]) -> dict[str, list[Rule]]:
    """By where they are kept, the rules: those of the database are asked before a file that would allow the rest."""
    may = allowed(everybody[0])
    inside = [rule for name in may for rule in database(name, database_rules(may[name]))]
    return {"file": rules_of(acl_text(may)), "database": [*inside, *rules_of("{allow, all}.")]}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", PEOPLE)
def test_everybody_hears_what_is_theirs_and_nothing_else(kept: dict[str, list[Rule]], kind: str, name: str) -> None:
    granted = [asked for asked in ASKED if permits(kept[kind], name, "subscribe", asked)]

    assert set().union(*map(reached, granted)) == heard_by(name)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", PEOPLE)
def test_everybody_says_what_is_theirs_and_nothing_else(kept: dict[str, list[Rule]], kind: str, name: str) -> None:
    assert {place.topic for place in PLACES if permits(kept[kind], name, "publish", place.topic)} == said_by(name)


def test_who_is_in_no_rule_hears_and_says_nothing(kept: dict[str, list[Rule]]) -> None:
    assert not [asked for asked in ASKED if permits(kept["file"], STRANGER, "subscribe", asked)]
    assert not [place for place in PLACES if permits(kept["file"], STRANGER, "publish", place.topic)]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", PEOPLE)
def test_nobody_gets_around_the_rules_by_what_no_wildcard_matches(
    kept: dict[str, list[Rule]], kind: str, name: str
) -> None:
    """EMQX publishes ``$delayed/1/TOPIC`` to TOPIC a second later, and asks no rule again."""
    for topic in ("$delayed/1/signals/v1/trade/tv/BTC-USDT", "$SYS/brokers/x/version", "$file/x/init"):
        assert not permits(kept[kind], name, "publish", topic)
    for topic in ("$SYS/#", "$q/signals/v1/trade/#", "$s/earliest/signals/v1/trade/#", "$exclusive/#"):
        assert not permits(kept[kind], name, "subscribe", topic)


LEVELS = st.sampled_from(sorted({level for place in PLACES for level in place.topic.split("/")} | {"+"}))
FILTERS = st.tuples(st.lists(LEVELS, max_size=6), st.booleans()).map(
    lambda made: "/".join([*made[0], *["#"] * made[1]])
)


@given(asked=FILTERS.filter(bool), name=st.sampled_from(PEOPLE), kind=st.sampled_from(KINDS))
def test_no_filter_that_is_granted_reaches_beyond_what_is_ones_own(
    kept: dict[str, list[Rule]], asked: str, name: str, kind: str
) -> None:
    if permits(kept[kind], name, "subscribe", asked):
        assert reached(asked) <= heard_by(name)


def test_the_reader_of_rules_has_emqxs_own_traps() -> None:
    rules = rules_of('{allow, {username, "a"}, subscribe, ["x/+", "+"]}.\n% a comment\n{deny, all}.')

    assert [permits(rules, "a", "subscribe", asked) for asked in ("x/#", "#", "x/y/z", "+/#")] == [
        True,
        True,
        False,
        False,
    ]
    assert permits(rules, "a", "subscribe", "$share/g/#")
    assert not permits(rules, "a", "publish", "x/y")
    assert not permits(rules, "b", "subscribe", "x/y")
    first = rules_of('{deny, {username, "a"}, subscribe, ["eq #"]}.\n{allow, {username, "a"}, all, ["#"]}.')
    assert [permits(first, "a", "subscribe", asked) for asked in ("#", "x/#")] == [False, True]
    own = rules_of('{allow, all, all, ["of/${username}/#"]}.')
    assert [permits(own, "a", "publish", topic) for topic in ("of/a/x", "of/b/x")] == [True, False]
    with pytest.raises(AssertionError, match="no Erlang term"):
        terms('{allow, "a')


@given(name=st.text(min_size=1), topic=st.text(min_size=1))
def test_no_name_and_no_topic_ends_the_text_that_it_is_in(name: str, topic: str) -> None:
    allow, deny = rules_of(acl_text({name: Permissions(publish=(topic,))}))

    assert allow == Rule("allow", name, "publish", (topic,))
    assert deny == Rule("deny", None, "all", None)


def test_every_rule_is_one_line_and_the_last_denies_all_else(everybody: tuple[Settings, dict[str, str]]) -> None:
    lines = acl_text(allowed(everybody[0])).splitlines()

    assert all(line.startswith("{") and line.endswith("}.") for line in lines)
    assert lines[-1] == "{deny, all}."
    assert '{deny, {username, "legacy"}, subscribe, ["eq #"]}.' in lines
    assert lines.index('{deny, {username, "legacy"}, subscribe, ["eq #"]}.') < lines.index(
        '{allow, {username, "legacy"}, subscribe, ["+"]}.'
    )


def test_the_table_of_users_holds_what_their_passwords_are_checked_with(
    everybody: tuple[Settings, dict[str, str]],
) -> None:
    settings, passwords = everybody
    table = users_text(hashes_with_own(settings))
    rows = {row["user_id"]: row for row in csv.DictReader(io.StringIO(table))}

    assert set(rows) == set(PEOPLE)
    assert set(rows[GATEWAY]) == {"user_id", "password_hash", "salt", "is_superuser"}
    for name, row in rows.items():
        derived = hashlib.pbkdf2_hmac("sha512", passwords[name].encode(), row["salt"].encode(), 101, dklen=64)
        assert derived.hex() == row["password_hash"]
        assert row["is_superuser"] == "false"
        assert passwords[name] not in table


@pytest.mark.parametrize(("salt", "good"), [(b"a-b_C9", True), (b"\xff" * 12, False), (b"a,b\n", False), (b"", False)])
def test_a_hash_fits_where_its_salt_is_plain_text_and_it_has_our_rounds(salt: bytes, *, good: bool) -> None:
    derived = hashed("x").split("$")[4]

    assert fits(f"$7$101${b64encode(salt).decode()}${derived}") == good
    assert not fits(f"$7$1000${b64encode(salt).decode()}${derived}")


def test_a_salt_is_text_of_its_own_each_time(tmp_path: Path) -> None:
    salts = {users_text({"one": hashed("x")}).splitlines()[1].split(",")[2] for _ in range(50)}

    assert len(salts) == 50
    assert all(len(salt) == 12 for salt in salts)
