"""The versioned topic tree: build and parse are inverses, and no text of a payload can leave its own segment."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache

from schemas.fields import MAX_SEGMENT_BYTES, is_name

VERSION = "v1"

_SAFE = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-")
_ENCODED = tuple(chr(byte) if byte in _SAFE else f"%{byte:02X}" for byte in range(256))
_SEGMENT = re.compile(r"(?:[A-Za-z0-9_-]|%[0-9A-F]{2})+", re.ASCII)

NAMED = frozenset({"receipt", "receipted", "bot", "gateway"})
"""What stands in the place of a body where a topic is of a bot or of a gateway."""

TELEMETRY = ("hb", "status_updates", "events", "notify", "log", "performance")
"""What a bot tells of itself below its name, as Hummingbot has it."""

UNKNOWN_INSTRUMENT = "-"
"""The instrument segment of an alert that names none."""


class TopicError(ValueError):
    """The text cannot be a topic, or a part of one, in this tree."""


class Mode(StrEnum):
    """Whether a signal is for real money, for paper trading, or a test that no bot of the live tree ever sees."""

    LIVE = "live"
    PAPER = "paper"
    TEST = "test"


@lru_cache(maxsize=4096)
def encode_segment(text: str) -> str:
    """Encode any text as one topic segment; the inverse of decode_segment.

    Raises:
        TopicError: the text is empty, has a lone surrogate, or needs more than 128 bytes.
    """
    if is_name(text):
        return text
    try:
        encoded = "".join(_ENCODED[byte] for byte in text[: MAX_SEGMENT_BYTES + 1].encode())
    except UnicodeEncodeError as error:
        raise TopicError(f"{text[:80]!r} is not Unicode text") from error
    if not 0 < len(encoded) <= MAX_SEGMENT_BYTES:
        raise TopicError(f"{text[:80]!r} has no place in a topic: a segment has 1 to {MAX_SEGMENT_BYTES} encoded bytes")
    return encoded


def decode_segment(segment: str) -> str:
    """Decode one topic segment.

    Raises:
        TopicError: encode_segment never builds this segment.
    """
    if not _SEGMENT.fullmatch(segment) or len(segment) > MAX_SEGMENT_BYTES:
        raise TopicError(f"{segment[:80]!r} is not a topic segment")
    raw, position = bytearray(), 0
    while position < len(segment):
        if segment[position] == "%":
            raw.append(int(segment[position + 1 : position + 3], 16))
            position += 3
        else:
            raw.append(ord(segment[position]))
            position += 1
    try:
        text = raw.decode()
    except UnicodeDecodeError as error:
        raise TopicError(f"{segment[:80]!r} does not decode to Unicode text") from error
    if encode_segment(text) != segment:
        raise TopicError(f"{segment[:80]!r} is not the shortest encoding of {text!r}")
    return text


@dataclass(frozen=True, slots=True)
class SignalTopic:
    """The place of a signal: body ``trade``, ``prediction`` or ``alert``; instrument ``-`` where none is known."""

    body: str
    source: str
    instrument: str
    test: bool = False


@dataclass(frozen=True, slots=True)
class NamedTopic:
    """The place of a receipt, of the gateway's answer to it, or of a card: ``kind`` and who it is about."""

    kind: str
    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Topics:
    """The topic tree under one root, and the bots' own tree under ``namespace``; both may have several segments."""

    root: str = "signals"
    namespace: str = "hbot"

    def __post_init__(self) -> None:
        for tree in (self.root, self.namespace):
            if not all(is_name(segment) for segment in tree.split("/")):
                raise TopicError(f"{tree!r} is not a topic prefix: segments of A-Z a-z 0-9 _ -, joined by /")
        namespace = f"{self.namespace}/"
        roots = f"{self.root}/", f"{self.root}-test/"
        if any(root.startswith(namespace) or namespace.startswith(root) for root in roots):
            raise TopicError(
                f"root {self.root!r} and namespace {self.namespace!r} overlap: neither may begin with the other,"
                " nor with the other's test tree"
            )

    def signal(self, place: SignalTopic) -> str:
        """Where a signal is published.

        Raises:
            TopicError: the instrument does not fit into one segment.
        """
        names = f"{_word(place.body)}/{_word(place.source)}/{encode_segment(place.instrument)}"
        return f"{self._tree(test=place.test)}/{VERSION}/{names}"

    def signal_filter(self, body: str = "+", source: str = "+", instrument: str = "+", *, test: bool = False) -> str:
        """A filter for signals; ``+`` stands for any."""
        words = [name if name == "+" else _word(name) for name in (body, source)]
        last = instrument if instrument == "+" else encode_segment(instrument)
        return "/".join([self._tree(test=test), VERSION, *words, last])

    def receipt(self, bot: str) -> str:
        """Where a bot publishes its receipts."""
        return self._named("receipt", bot)

    def receipted(self, bot: str) -> str:
        """Where the gateway says which receipts are on its disk."""
        return self._named("receipted", bot)

    def bot(self, bot: str) -> str:
        """Where a bot's card is retained."""
        return self._named("bot", bot)

    def gateway(self, instance: str) -> str:
        """Where a gateway's card is retained."""
        return self._named("gateway", instance)

    def every(self, kind: str) -> str:
        """A filter for ``receipt``, ``receipted``, ``bot`` or ``gateway`` of all bots or gateways."""
        return f"{self.root}/{VERSION}/{kind}/+"

    def external_event(self, bot: str, name: str) -> str:
        """Where Hummingbot listens for an external event; dots in the name separate segments, as Hummingbot reads them.

        Raises:
            TopicError: a segment ends in ``event``, which Hummingbot would cut the name at.
        """
        segments = name.split(".")
        if not all(is_name(segment) and not segment.endswith("event") for segment in segments):
            raise TopicError(
                f"{name!r} cannot name an event: segments of A-Z a-z 0-9 _ - joined by dots, none ending in 'event'"
            )
        return f"{self.namespace}/{_word(bot)}/external/event/{'/'.join(segments)}"

    def ml_signals(self, pair: str) -> str:
        """Where Hummingbot's ``ai_livestream`` listens for the predictions of a pair, ``BTC-USDT``.

        Raises:
            TopicError: the pair is no name.
        """
        return f"{self.namespace}/predictions/{_word(pair.lower().replace('-', '_'))}/ML_SIGNALS"

    @property
    def every_ml_signals(self) -> str:
        """A filter for the predictions of every pair."""
        return f"{self.namespace}/predictions/+/ML_SIGNALS"

    def command(self, bot: str, command: str) -> str:
        """Where a bot listens for a command, ``balance/limit`` or ``command/rebalance`` among them.

        Raises:
            TopicError: no such command can have a name.
        """
        return f"{self.namespace}/{_word(bot)}/{'/'.join(_word(word) for word in command.split('/'))}"

    def telemetry(self, bot: str, channel: str) -> str:
        """Where a bot publishes what ``channel`` is: one of ``TELEMETRY``."""
        return f"{self.namespace}/{_word(bot)}/{_word(channel)}"

    def every_telemetry(self, channel: str) -> str:
        """A filter for one channel of every bot."""
        return f"{self.namespace}/+/{_word(channel)}"

    def bot_of(self, topic: str) -> tuple[str, str]:
        """Read a topic of the bots' own tree: the bot, and what follows it.

        Raises:
            TopicError: it is none.
        """
        bot, _, rest = topic.removeprefix(f"{self.namespace}/").partition("/")
        if not topic.startswith(f"{self.namespace}/") or not rest:
            raise TopicError(f"{topic[:200]!r} is not below {self.namespace}/BOT/")
        return _word(bot), rest

    def reply(self, bot: str, client: str, call: str) -> str:
        """Where a bot replies to one call of a client; ``call`` is 128 random bits, so that no other can guess it."""
        return f"{self.root}/{VERSION}/reply/{_word(bot)}/{_word(client)}/{_word(call)}"

    def replies(self, client: str, bot: str = "+") -> str:
        """A filter for every reply to a client."""
        return f"{self.root}/{VERSION}/reply/{bot if bot == '+' else _word(bot)}/{_word(client)}/+"

    def doctor(self, run: str = "+") -> str:
        """Where ``signal-gateway doctor`` tries a broker, below the test tree; no bot listens there."""
        return f"{self._tree(test=True)}/{VERSION}/doctor/{run if run == '+' else _word(run)}"

    def is_reply(self, topic: str, *, bot: str) -> bool:
        """Whether a topic is below the bot's own replies, and names a client and a call."""
        head = f"{self.root}/{VERSION}/reply/{_word(bot)}/"
        words = topic.removeprefix(head).split("/")
        return topic.startswith(head) and len(words) == 2 and all(is_name(word) for word in words)  # noqa: PLR2004

    def parse(self, topic: str) -> SignalTopic | NamedTopic:
        """Read a topic of this tree; the inverse of the builders.

        Raises:
            TopicError: no builder of this tree makes this topic.
        """
        test = topic.startswith(f"{self.root}-test/")
        prefix = f"{self._tree(test=test)}/{VERSION}/"
        if not topic.startswith(prefix):
            raise TopicError(f"{topic[:200]!r} is not below {prefix}")
        match topic[len(prefix) :].split("/"):
            case [kind, name] if kind in NAMED and not test:
                return NamedTopic(kind, _word(name))
            case [body, source, instrument]:
                return SignalTopic(_word(body), _word(source), decode_segment(instrument), test)
        raise TopicError(f"{topic[:200]!r} is no topic of version 1")

    def _tree(self, *, test: bool) -> str:
        return f"{self.root}-test" if test else self.root

    def _named(self, kind: str, name: str) -> str:
        return f"{self.root}/{VERSION}/{kind}/{_word(name)}"


def _word(text: str) -> str:
    if not is_name(text):
        raise TopicError(f"{text[:80]!r} is not a name: A-Z a-z 0-9 _ and -, 1 to 128 of them")
    return text
