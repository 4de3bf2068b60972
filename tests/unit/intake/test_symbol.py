"""Tickers to instruments: what is certain is known, the rest stays unknown with the raw text kept."""

import pytest

from gateway.errors import Code, Refused
from gateway.intake.source import Source
from gateway.intake.symbol import Ticker, instrument
from schemas.instrument import Instrument, Kind

SOURCE = Source(name="demo")


def read(raw, *, source=SOURCE, **beside):
    return instrument(Ticker(raw, **beside), source=source, where="ticker")


@pytest.mark.parametrize(
    ("raw", "kind", "pair", "ccxt", "name"),
    [
        ("BINANCE:BTCUSDT", "spot", "BTC-USDT", "BTC/USDT", "BTC-USDT"),
        ("BINANCE:BTCUSDT.P", "perpetual", "BTC-USDT", "BTC/USDT:USDT", "BTC-USDT-PERP"),
        ("btcusdt.p", "perpetual", "BTC-USDT", "BTC/USDT:USDT", "BTC-USDT-PERP"),
        ("1000PEPEUSDT", "unknown", "1000PEPE-USDT", None, "1000PEPE-USDT"),
        ("1INCHUSDT", "unknown", "1INCH-USDT", None, "1INCH-USDT"),
        ("BTC-USDT", "unknown", "BTC-USDT", None, "BTC-USDT"),
        ("BTC/USDT", "unknown", "BTC-USDT", None, "BTC-USDT"),
        ("BTC_USDT", "unknown", "BTC-USDT", None, "BTC-USDT"),
        ("BTC/USDT:USDT", "perpetual", "BTC-USDT", "BTC/USDT:USDT", "BTC-USDT-PERP"),
        ("BTC/USDT:USDT-261225", "future", "BTC-USDT", "BTC/USDT:USDT-261225", "BTC-USDT-261225"),
        ("USDT_BTC", "unknown", "BTC-USDT", None, "BTC-USDT"),
        ("USDT_BTCUSDT", "perpetual", "BTC-USDT", "BTC/USDT:USDT", "BTC-USDT-PERP"),
        ("BTCUSDTPERP", "perpetual", "BTC-USDT", "BTC/USDT:USDT", "BTC-USDT-PERP"),
        ("BTCUSDT-PERP", "perpetual", "BTC-USDT", "BTC/USDT:USDT", "BTC-USDT-PERP"),
        ("BTC-USDT-SWAP", "perpetual", "BTC-USDT", "BTC/USDT:USDT", "BTC-USDT-PERP"),
        ("BTCUSDT_261225", "future", "BTC-USDT", "BTC/USDT:USDT-261225", "BTC-USDT-261225"),
        ("BYBIT:BTCUSD.P", "perpetual", "BTC-USD", "BTC/USD:BTC", "BTC-USD-PERP"),
        ("BITMEX:XBTUSD.P", "perpetual", "BTC-USD", "BTC/USD:BTC", "BTC-USD-PERP"),
        ("DERIBIT:BTC-PERPETUAL", "perpetual", "BTC-USD", "BTC/USD:BTC", "BTC-USD-PERP"),
        ("XBTUSD", "unknown", "BTC-USD", None, "BTC-USD"),
        ("KRAKEN:XXBTZUSD", "spot", "BTC-USD", "BTC/USD", "BTC-USD"),
        ("SHIBUSD", "unknown", "SHIB-USD", None, "SHIB-USD"),
        ("BTCFDUSD", "unknown", "BTC-FDUSD", None, "BTC-FDUSD"),
        ("BINANCE:ETHBTC", "spot", "ETH-BTC", "ETH/BTC", "ETH-BTC"),
        ("EURUSD", "forex", "EUR-USD", None, "EUR-USD"),
        ("OANDA:EURUSD", "forex", "EUR-USD", None, "EUR-USD"),
        ("KRAKEN:EURUSD", "spot", "EUR-USD", "EUR/USD", "EUR-USD"),
    ],
)
def test_a_ticker_whose_market_is_certain_is_known(raw, kind, pair, ccxt, name):
    found = read(raw)
    assert (found.raw, found.kind.value, found.pair, found.ccxt, found.name) == (raw, kind, pair, ccxt, name)


@pytest.mark.parametrize(
    ("raw", "kind"),
    [
        ("ES1!", "future"), ("CME_MINI:ES1!", "future"), ("NQH6", "future"), ("MNQU2025", "future"),
        ("BTC-USD-261225", "future"), ("BTC-PERPETUAL", "perpetual"), ("ETH-PERP", "perpetual"),
        ("BTCPERP", "perpetual"),
        ("NASDAQ:AAPL", "equity"), ("AAPL", "unknown"), ("BRK-B", "unknown"), ("SBIN.NS", "unknown"),
        ("SP:SPX", "index"),
        ("ARBUSD", "unknown"), ("XYZUSD", "unknown"), ("USDT_USDC", "unknown"), ("WBTC", "unknown"),
        ("BINANCE:BTCUSDT/BINANCE:ETHUSDT", "unknown"), ("BTCUSDT-ETHUSDT", "unknown"), ("BTCUSDT_261399", "unknown"),
    ],
)  # fmt: skip
def test_a_ticker_whose_pair_is_not_certain_keeps_its_raw_text_only(raw, kind):
    found = read(raw)
    assert (found.pair, found.kind.value, found.name) == (None, kind, raw)


def test_a_delayed_feed_is_the_same_venue():
    assert read("NYMEX_DL:CL1!").venue == "NYMEX"
    assert read("AAPL", exchange="NASDAQ_DLY").kind is Kind.EQUITY


def test_the_exchange_beside_the_ticker_counts_where_the_ticker_has_none():
    assert read("BTCUSDT", exchange="BINANCE").ccxt == "BTC/USDT"
    assert read("BYBIT:BTCUSDT", exchange="BINANCE").venue == "BYBIT"


def test_syminfo_settles_what_the_ticker_leaves_open_and_a_contradiction_leaves_it_unknown():
    assert read("ARBUSD", base="ARB", quote="USD").pair == "ARB-USD"
    assert read("AAPL", base="na", quote="USD").pair is None
    assert read("BTCUSDT", base="ETH", quote="USDT").pair is None


def test_the_sources_table_wins_over_what_would_be_worked_out():
    fixed = Instrument(raw="LB", base="LB", quote="USD", pair="LB-USD")
    source = Source(name="demo", symbols={"LBR1!": fixed, "BYBIT:BTCUSDT": fixed})
    assert read("lbr1!", source=source).pair == "LB-USD"
    assert read("CME:LBR1!", source=source).pair == "LB-USD"
    assert read("BTCUSDT", source=source, exchange="BYBIT").pair == "LB-USD"
    assert read("BTCUSDT", source=source, exchange="BINANCE").pair == "BTC-USDT"


def test_the_sources_own_instrument_wins_over_everything_and_keeps_the_raw_text():
    fixed = Instrument(raw="ETH-USDT", base="ETH", quote="USDT", pair="ETH-USDT", kind=Kind.SPOT)
    source = Source(name="demo", instrument=fixed, symbols={"BTCUSDT": Instrument(raw="x")})
    found = read("BTCUSDT", source=source)
    assert (found.pair, found.raw) == ("ETH-USDT", "BTCUSDT")
    assert instrument(None, source=source, where="") is fixed


@pytest.mark.parametrize(
    ("raw", "problem"),
    [
        ("A" * 5000, "5000 characters"),
        ("é" * 50, "topic"),
        ("#/+", "names no instrument"),
        ("-", "names no instrument"),
    ],
)
def test_a_ticker_that_no_topic_can_hold_is_refused(raw, problem):
    with pytest.raises(Refused) as refused:
        read(raw)
    assert refused.value.code is Code.INVALID
    (fault,) = refused.value.faults
    assert problem in fault.problem
    assert fault.where == "ticker"
