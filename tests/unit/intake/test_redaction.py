"""What is a secret in a document or a text, and what is not."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.secrets import REDACTED, excerpt, redact, redact_text, shown_as

CANARY = "Canary-77Zq9x"


@pytest.mark.parametrize(
    "text",
    [
        "TOKEN={}",
        "a=1;API_KEY={};b=2",
        "signal=long,secret={}",
        '{{"passphrase": "{}"',
        "{{'secret': '{}'}}",
        "{{“secret”: “{}”}}",
        "password: {}",
        "my api key: {}",
        '""key"": ""{}""',
        '{{\\"token\\": \\"{}\\"}}',
        "{},buy,EURUSD,risk=1",
        "{} , closelong , GBPUSD",
        "ENTER-LONG_KUCOIN_BTC-USDT_BOT_1H_{}",
        "{}(XBTUSD) {{ market(side=buy); }}",
        "LONG | e=X a={} s=XBTUSD",
        "trade:{}:long symbol=BTC-PERP",
        "{}|strategy|buy|BTCUSDT",
        "{}\nshort BTCUSD q=0.1",
        "see https://hooks.slack.com/services/{}",
        "see https://discord.com/api/webhooks/1/{}",
        "https://user:{}@example.org/x",
        "Authorization: Bearer {}",
        "https://example.org/?key={}&x=1",
    ],
)
def test_a_secret_in_a_text_is_redacted(text):
    cleaned = redact_text(text.format(CANARY))
    assert CANARY not in cleaned
    assert REDACTED in cleaned


@pytest.mark.parametrize(
    "text",
    [
        "BTCUSD crossed the key level: 45000",
        "Token: PEPE",
        "Key level 45000 broken",
        "order_id=17, id=9",
        "ETHUSD|BUY|A",
        "BTCUSDT,buy,now",
        "Take profit (TP1) hit: sell half",
        "BINANCE:BTCUSDT at 2026-11-22T10:15:00Z",
        "first line\nsecond line",
        "Keyboard=broken monkey: yes",
    ],
)
def test_an_ordinary_text_stays_as_it_is(text):
    assert redact_text(text) == text


@given(st.lists(st.sampled_from([*" .+%!-_:/=,|", "entry", "BTC", "17", "Bearer", "bearer ", "token", CANARY])))
def test_a_text_within_a_document_is_redacted_as_it_is_alone(parts):
    text = "".join(parts)
    assert redact({"note": text}) == {"note": redact_text(text)}


def test_keys_of_secrets_are_redacted_at_every_depth_and_in_every_spelling():
    document = {
        "API-Key": "x",
        "a": [{"Email_Token": 7, "my_hook_secret": "y"}],
        "order_id": "1",
        "id": "2",
        "secret": "",
    }
    assert redact(document) == {
        "API-Key": REDACTED,
        "a": [{"Email_Token": REDACTED, "my_hook_secret": REDACTED}],
        "order_id": "1",
        "id": "2",
        "secret": "",
    }


def test_a_secret_by_value_is_redacted_in_keys_texts_and_numbers():
    assert redact({"k-987654": ["x 987654 y", 987654]}, values=["987654"]) == {
        f"k-{REDACTED}": [f"x {REDACTED} y", REDACTED]
    }


def test_a_short_secret_does_not_change_what_other_fields_say():
    assert redact({"action": "buy", "passphrase": "buy"}, values=["buy"]) == {"action": "buy", "passphrase": REDACTED}


def test_an_excerpt_that_cuts_a_secret_in_two_shows_neither_half():
    text = f"secret={CANARY} rest"
    for start in range(len(text)):
        for stop in range(start, len(text)):
            cut = excerpt(text, start, stop)
            assert not any(CANARY[i : i + 3] in cut for i in range(len(CANARY) - 2))


def test_the_value_under_a_key_is_found_in_broken_json():
    assert shown_as('{"pass-phrase": "abc", }', "passPhrase") == "abc"
    assert shown_as("SECRET=abc;X=1", "secret") == "abc"
    assert shown_as("nothing here", "secret") is None


def test_hostile_texts_are_read_in_linear_time():
    for text in (
        "=" * 60_000,
        "key" * 20_000,
        "a=" * 30_000,
        "ENTER-LONG_" * 6_000,
        "(" * 60_000,
        "e=" + "a" * 60_000,
        "key:{" * 15_000,
        "{" + "key:" * 15_000,
    ):
        redact_text(text)
