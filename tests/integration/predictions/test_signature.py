"""Requests that are signed, as the library of Standard Webhooks checks them; and TLS."""

from __future__ import annotations

import base64
import ssl
from datetime import UTC, datetime

import pytest
from standardwebhooks import Webhook, WebhookVerificationError

from bot_plugin.predictions import Outcome, PredictionClient, PredictionSettings, SettingsError
from bot_plugin.predictions.signature import secret_bytes, signed
from tests.certificates import Authority
from tests.integration.predictions.conftest import Settings
from tests.integration.predictions.stand_in import KEY, StandInGateway, says, standing_in

SECRET = "whsec_" + base64.b64encode(b"0123456789abcdefghijklmnopqrstuv").decode()
OTHER = "whsec_" + base64.b64encode(b"another secret, of 32 bytes long").decode()


def test_the_library_verifies_every_request_that_the_client_signs(gateway: StandInGateway, settings: Settings) -> None:
    """The same request sent again has the same id, another one another; a wrong secret verifies nothing."""
    gateway.script.append(says(503))
    with PredictionClient(settings(secret=SECRET)) as client:
        client.send(pair="BTC-USDT", probabilities={"long": 1}, features={"größe": 1})
        client.send(pair="ETH-USDT", probabilities={"long": 1})

    for request in gateway.requests:
        Webhook(SECRET).verify(request.body, dict(request.headers), json_parse=False)
        with pytest.raises(WebhookVerificationError):
            Webhook(OTHER).verify(request.body, dict(request.headers), json_parse=False)
        with pytest.raises(WebhookVerificationError):
            Webhook(SECRET).verify(request.body + b" ", dict(request.headers), json_parse=False)
        assert "authorization" not in request.headers
    first, again, other = (request.headers["webhook-id"] for request in gateway.requests)
    assert first == again != other


def test_a_signature_is_the_one_that_the_specification_computes() -> None:
    """Held against the library's own, which signs too."""
    headers = signed(b'{"a":1}\n', key=secret_bytes(SECRET), now=1_674_087_231)
    from_library = Webhook(SECRET).sign(headers["webhook-id"], datetime.fromtimestamp(1_674_087_231, UTC), '{"a":1}\n')

    assert headers["webhook-signature"] == from_library
    assert headers["webhook-timestamp"] == "1674087231"


@pytest.mark.parametrize(
    "secret", ["whsec_", "whsec_short", SECRET.removeprefix("whsec_"), SECRET[:-1] + "!", "whsec_é"]
)
def test_a_secret_that_is_none_is_refused_and_not_shown(secret: str) -> None:
    """Not even a part of it."""
    with pytest.raises(SettingsError, match="base64 of 24 to 64 bytes") as refused:
        PredictionSettings(source="btc", secret=secret)

    assert secret.removeprefix("whsec_")[:8] not in str(refused.value) or secret == "whsec_"


def test_nothing_shows_the_key_or_the_secret(settings: Settings, caplog: pytest.LogCaptureFixture) -> None:
    """Not the settings' text, and not the log of a refusal."""
    assert KEY not in repr(settings())
    assert SECRET not in repr(settings(secret=SECRET))
    with caplog.at_level("DEBUG"), PredictionClient(settings()) as client:
        client.send(pair="BTC-USDT", probabilities={"long": 1})

    assert KEY not in caplog.text


def test_a_clock_that_is_off_is_named_where_the_signature_is_refused(
    gateway: StandInGateway, settings: Settings
) -> None:
    """A signature is only good for five minutes; the gateway's answer has its time."""
    gateway.script.append(says(401, "Date: Thu, 01 Jan 2026 00:00:00 GMT"))
    with PredictionClient(settings(secret=SECRET)) as client:
        result = client.send(pair="BTC-USDT", probabilities={"long": 1})

    assert result.outcome is Outcome.REFUSED
    assert "this machine's clock is" in result.reason
    assert result.reason.endswith("s ahead of the gateway's")


def _tls(authority: Authority, name: str) -> ssl.SSLContext:
    files = authority.sign(name)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(files.cert, files.key)
    return context


def test_a_gateway_with_a_certificate_of_a_known_authority_gets_the_prediction(authority: Authority) -> None:
    """Many in one request too, each way at the same time."""
    with standing_in(tls=_tls(authority, "localhost")) as gateway:
        settings = PredictionSettings(url=gateway.url, source="btc", key=KEY, ca=authority.ca)
        with PredictionClient(settings) as client:
            results = list(client.send_all({"pair": "BTC-USDT", "probabilities": {"long": 1}} for _ in range(500)))

    assert {result.outcome for result in results} == {Outcome.ACCEPTED}


def test_a_gateway_that_shows_another_certificate_gets_nothing(authority: Authority) -> None:
    """Neither the prediction nor the key leaves the machine."""
    with standing_in(tls=_tls(authority, "localhost")) as gateway:
        settings = PredictionSettings(url=gateway.url, source="btc", key=KEY)
        with PredictionClient(settings) as client:
            result = client.send(pair="BTC-USDT", probabilities={"long": 1}, within=0.3)

        assert gateway.requests == []
    assert result.outcome is Outcome.UNSENT
    assert "its certificate is not to be trusted" in result.reason
