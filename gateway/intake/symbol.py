"""A ticker, with what stands beside it, becomes an instrument; what is not certain stays unknown, the raw text kept."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import date
from functools import lru_cache
from typing import NamedTuple

from gateway.errors import Code, Refused
from gateway.intake import markets
from gateway.intake.source import Source
from schemas.errors import Fault
from schemas.instrument import Instrument, Kind
from schemas.topics import TopicError, encode_segment

MAX_RAW = 256
_MAX_VENUE = 64

_CODE = r"[A-Z0-9]{1,20}"
_CONTINUOUS = re.compile(r"[A-Z0-9]{1,20}[1-9]!")
_CCXT = re.compile(rf"({_CODE})/({_CODE})(?::({_CODE}))?(?:-(\d{{6}}))?")
_PERPETUAL = re.compile(r"([A-Z0-9_/-]{2,40}?)(?:\.P|[-_]?PERP|-SWAP|-PERPETUAL)")
_DATED = re.compile(r"([A-Z0-9_/-]{2,40}?)[-_](\d{6})")
_MONTH = re.compile(r"([A-Z0-9]{1,3})[FGHJKMNQUVXZ](?:[0-9]{1,2}|20[0-9]{2})")
_JOINED = re.compile(rf"({_CODE})([-_/])({_CODE})")
_KRAKEN = re.compile(r"(X[A-Z]{3})([XZ][A-Z]{3})")
_PLAIN = re.compile(_CODE)
_NAME = re.compile(r"[A-Z0-9_]{1,40}")

_Pair = tuple[str, str]


class Ticker(NamedTuple):
    """What a body says of its instrument; ``base`` and ``quote`` are TradingView's syminfo, where they were sent."""

    raw: str
    exchange: str | None = None
    base: str | None = None
    quote: str | None = None


def instrument(ticker: Ticker | None, *, source: Source, where: str) -> Instrument | None:
    """Find the instrument: the source's own, else its table's, else what the ticker tells; None where nothing does.

    Raises:
        Refused: INVALID: the ticker is longer than 256 characters, names nothing, or has no place in a topic.
    """
    if ticker is None:
        return source.instrument
    if len(ticker.raw) > MAX_RAW:
        problem = f"the instrument has {len(ticker.raw)} characters; it may have {MAX_RAW}"
        raise Refused(
            Code.INVALID, Fault(where=where, problem=problem, found=ticker.raw[:80], cause="Send the ticker only.")
        )
    fixed = source.instrument or _listed(ticker, source)
    found = _read(ticker) if fixed is None else fixed if fixed.pair is None else replace(fixed, raw=ticker.raw)
    return _fitting(found, where=where, text=ticker.raw)


def told(given: Instrument, *, source: Source, where: str) -> Instrument:
    """Find the instrument that a canonical body gives; the body's own word counts where it names its pair.

    Raises:
        Refused: INVALID, as ``instrument`` does.
    """
    found = instrument(Ticker(given.raw), source=source, where=f"{where}.raw")
    if found is not None and (source.instrument is not None or given.pair is None):
        return found
    return _fitting(given, where=f"{where}.pair", text=given.name)


def _fitting(found: Instrument, *, where: str, text: str) -> Instrument:
    problem = _unfit(found.name)
    if problem:
        cause = "Send TradingView's {{ticker}}, or name its instrument in the source's table of symbols."
        raise Refused(Code.INVALID, Fault(where=where, problem=problem, found=text[:80], cause=cause))
    return found


@lru_cache(maxsize=1024)
def _unfit(name: str) -> str:
    if not any(map(str.isalnum, name)):
        return "the text names no instrument"
    try:
        encode_segment(name)
    except TopicError:
        return (
            "the instrument does not fit into a topic: at most 128 bytes, and three for each that is no letter or digit"
        )
    return ""


def _listed(ticker: Ticker, source: Source) -> Instrument | None:
    if not source.symbols:
        return None
    raw = ticker.raw.strip().upper()
    spellings = [raw, raw.rpartition(":")[2]]
    if ticker.exchange is not None:
        spellings.insert(0, f"{_venue(ticker.exchange)}:{raw}")
    return next((source.symbols[spelling] for spelling in spellings if spelling in source.symbols), None)


@lru_cache(maxsize=4096)
def _read(ticker: Ticker) -> Instrument:
    text = ticker.raw.strip().upper()
    venue = _venue(ticker.exchange) if ticker.exchange else None
    prefix, colon, rest = text.partition(":")
    if colon and _NAME.fullmatch(prefix):
        venue, text = _venue(prefix), rest
    found = _market(text, venue, _syminfo(ticker))
    return replace(found, raw=ticker.raw, venue=venue)


def _venue(text: str) -> str | None:
    name = re.sub(r"_DLY?\Z", "", text.strip().upper())
    return name if 0 < len(name) <= _MAX_VENUE else None


def _syminfo(ticker: Ticker) -> _Pair | None:
    base, quote = (_code(text) for text in (ticker.base, ticker.quote))
    return (base, quote) if base and quote and base != quote else None


def _code(text: str | None) -> str | None:
    name = (text or "").strip().upper()
    return markets.ALIASES.get(name, name) if _PLAIN.fullmatch(name) and name not in {"NA", "NAN", "NONE"} else None


def _market(text: str, venue: str | None, told: _Pair | None) -> Instrument:
    if _CONTINUOUS.fullmatch(text):
        return Instrument(raw=text, kind=Kind.FUTURE)
    if ccxt := _CCXT.fullmatch(text):
        base, quote, settle, expiry = ccxt.groups()
        if settle is not None and settle in {base, quote} | markets.STABLE and _strength(quote):
            return _derivative(
                _agreed((_alias(base), _alias(quote)), told), venue, settle=_alias(settle), expiry=expiry
            )
    if venue == "DERIBIT" and text in {"BTC-PERPETUAL", "ETH-PERPETUAL"}:
        return _derivative((text[:3], "USD"), venue)
    if perpetual := _PERPETUAL.fullmatch(text):
        return _derivative(_agreed(_pair(perpetual.group(1), venue), told), venue, base=perpetual.group(1))
    if (dated := _DATED.fullmatch(text)) and _is_date(dated.group(2)):
        return _derivative(
            _agreed(_pair(dated.group(1), venue), told), venue, expiry=dated.group(2), base=dated.group(1)
        )
    if three_commas := re.fullmatch(rf"({_CODE})_({_CODE})\1", text):
        return _derivative((_alias(three_commas.group(2)), three_commas.group(1)), venue)
    return _listed_market(text, venue, told)


def _listed_market(text: str, venue: str | None, told: _Pair | None) -> Instrument:
    month = _MONTH.fullmatch(text)
    if venue in markets.FUTURES or (month and month.group(1) in markets.FUTURE_ROOTS and venue is None):
        return Instrument(raw=text, kind=Kind.FUTURE)
    if venue in markets.EQUITY:
        return Instrument(raw=text, kind=Kind.EQUITY)
    if venue in markets.INDEX:
        return Instrument(raw=text, kind=Kind.INDEX)
    pair = _agreed(_pair(text, venue), told)
    if pair is None:
        return Instrument(raw=text)
    return _spot(pair, _kind(pair, venue))


def _kind(pair: _Pair, venue: str | None) -> Kind:
    if venue in markets.CRYPTO:
        return Kind.SPOT
    forex = markets.FIAT | markets.METALS
    return Kind.FOREX if pair[0] in forex and pair[1] in forex and venue not in markets.DERIVATIVES else Kind.UNKNOWN


def _spot(pair: _Pair, kind: Kind) -> Instrument:
    base, quote = pair
    ccxt = f"{base}/{quote}" if kind is Kind.SPOT else None
    return Instrument(raw="", base=base, quote=quote, kind=kind, pair=f"{base}-{quote}", ccxt=ccxt)


def _derivative(
    pair: _Pair | None,
    venue: str | None,
    *,
    settle: str | None = None,
    expiry: str | None = None,
    base: str | None = None,
) -> Instrument:
    kind = Kind.PERPETUAL if expiry is None else Kind.FUTURE
    if pair is None:
        known = base is not None and _alias(base) in markets.COINS
        return Instrument(raw="", base=_alias(base) if known and base else None, kind=kind)
    settle = settle or _settle(pair, venue)
    ccxt = None if settle is None else f"{pair[0]}/{pair[1]}:{settle}" + (f"-{expiry}" if expiry else "")
    if ccxt is None and expiry is not None:
        return Instrument(raw="", base=pair[0], quote=pair[1], kind=kind)
    return Instrument(
        raw="", base=pair[0], quote=pair[1], settle=settle, kind=kind, pair=f"{pair[0]}-{pair[1]}", ccxt=ccxt
    )


def _settle(pair: _Pair, venue: str | None) -> str | None:
    base, quote = pair
    if quote in markets.STABLE:
        return quote
    inverse = quote == "USD" and (venue in markets.INVERSE or (venue == "BITMEX" and base == "BTC"))
    return base if inverse else None


def _agreed(read: _Pair | None, told: _Pair | None) -> _Pair | None:
    """What the ticker and the syminfo beside it both allow; where they differ nothing is certain."""
    return (told or read) if read is None or told is None or read == told else None


def _pair(text: str, venue: str | None) -> _Pair | None:
    if joined := _JOINED.fullmatch(text):
        return _joined(_alias(joined.group(1)), joined.group(2), _alias(joined.group(3)))
    kraken = _KRAKEN.fullmatch(text)
    if kraken and all(part in markets.ALIASES for part in kraken.groups()):
        return _alias(kraken.group(1)), _alias(kraken.group(2))
    return _split(text, venue) if _PLAIN.fullmatch(text) else None


def _joined(first: str, separator: str, second: str) -> _Pair | None:
    before, after = _strength(first), _strength(second)
    if separator == "_":  # 3Commas puts the quote first, everybody else last
        return None if before == after else (first, second) if after > before else (second, first)
    return (first, second) if after and first != second else None


def _strength(code: str) -> int:
    if code in markets.STABLE or code in markets.FIAT:
        return 3
    return 2 if code == "BTC" else int(code in markets.CRYPTO_QUOTES)


def _split(text: str, venue: str | None) -> _Pair | None:
    splits = [(_alias(text[: -len(q)]), q) for q in markets.QUOTES if text.endswith(q) and len(text) > len(q)]
    known = [split for split in splits if _is_known(split)]
    if len(known) == 1:
        return known[0]
    if known or len(splits) != 1:
        return None
    certain = venue in markets.CRYPTO or venue in markets.DERIVATIVES or splits[0][1] in {"USDT", "USDC"}
    return splits[0] if certain else None


def _is_known(split: _Pair) -> bool:
    base, quote = split
    return base in markets.COINS or (quote in markets.FIAT and base in (markets.FIAT | markets.METALS))


def _alias(code: str) -> str:
    return markets.ALIASES.get(code, code)


def _is_date(text: str) -> bool:
    try:
        date(2000 + int(text[:2]), int(text[2:4]), int(text[4:]))
    except ValueError:
        return False
    return True
