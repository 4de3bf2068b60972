"""The remote commands, and what each of them takes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from enum import StrEnum
from typing import Any

from marshmallow import ValidationError, fields, validate

from schemas.fields import Flag, exact_text, is_number
from schemas.record import Listed, RecordSchema, load

_LONGEST = 256
"""Characters of a name."""


class Command(StrEnum):
    """The commands that this contract names, by what follows the bot in the topic."""

    START = "start"
    STOP = "stop"
    IMPORT = "import"
    CONFIG = "config"
    STATUS = "status"
    HISTORY = "history"
    BALANCE = "balance"
    BALANCE_LIMIT = "balance/limit"
    BALANCE_PAPER = "balance/paper"


class Amount(fields.Field[Decimal]):
    """An amount: a number, or a string of one, as Hummingbot spells negative integers."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> Decimal:  # noqa: ARG002
        if not (is_number(value) or isinstance(value, str)) or len(str(value)) > _LONGEST:
            raise ValidationError("must be a number")
        try:
            amount = Decimal(str(value))
            exact_text(amount)
        except (InvalidOperation, ValueError):
            raise ValidationError("must be a number of at most 38 digits") from None
        return amount


@dataclass(frozen=True, slots=True, kw_only=True)
class Start:
    """What ``start`` starts.

    Args:
        log_level: for the strategy; None leaves it.
        script: a script's file name; None for the imported strategy.
        conf: the script's configuration file.
        is_quickstart: as the stock bridge has it.
        async_backend: whether the reply comes before the strategy runs; ours waits all the same.
    """

    log_level: str | None = None
    script: str | None = None
    conf: str | None = None
    is_quickstart: bool = False
    async_backend: bool = True


class StartSchema(RecordSchema):
    """Loads a Start."""

    record = Start

    log_level = fields.String()
    script = fields.String(validate=validate.Length(max=_LONGEST))
    conf = fields.String(validate=validate.Length(max=_LONGEST))
    is_quickstart = Flag()
    async_backend = Flag()


@dataclass(frozen=True, slots=True, kw_only=True)
class Stop:
    """How ``stop`` stops."""

    skip_order_cancellation: bool = False
    async_backend: bool = True


class StopSchema(RecordSchema):
    """Loads a Stop."""

    record = Stop

    skip_order_cancellation = Flag()
    async_backend = Flag()


@dataclass(frozen=True, slots=True, kw_only=True)
class Import:
    """The name of a strategy's configuration, without its suffix."""

    strategy: str


class ImportSchema(RecordSchema):
    """Loads an Import."""

    record = Import

    strategy = fields.String(required=True, validate=validate.Length(min=1, max=_LONGEST))


class Pair(fields.Field[tuple[str, Any]]):
    """A key and a value as an array of two."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> tuple[str, Any]:  # noqa: ARG002
        if not isinstance(value, list) or len(value) != 2 or not isinstance(value[0], str):  # noqa: PLR2004
            raise ValidationError('must be a pair, such as ["bid_spread", 0.1]')
        return value[0], value[1]


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """What ``config`` changes, key by key in order; nothing to read only."""

    params: tuple[tuple[str, Any], ...] = ()


class ConfigSchema(RecordSchema):
    """Loads a Config."""

    record = Config

    params = Listed(Pair())


@dataclass(frozen=True, slots=True, kw_only=True)
class Status:
    """``status`` has no parameters but the stock bridge's."""

    async_backend: bool = True


class StatusSchema(RecordSchema):
    """Loads a Status."""

    record = Status

    async_backend = Flag()


@dataclass(frozen=True, slots=True, kw_only=True)
class History:
    """What of its trades a bot tells.

    Args:
        days: how many back; 0 for all.
        verbose: with more columns.
        precision: decimals in texts.
    """

    days: float = 0
    verbose: bool = False
    precision: int | None = None
    async_backend: bool = True


class HistorySchema(RecordSchema):
    """Loads a History."""

    record = History

    days = fields.Float(validate=validate.Range(min=0))
    verbose = Flag()
    precision = fields.Integer(strict=True, validate=validate.Range(min=0, max=38))
    async_backend = Flag()


@dataclass(frozen=True, slots=True, kw_only=True)
class Balance:
    """Which balances; None for all."""

    exchange: str | None = None
    asset: str | None = None


class BalanceSchema(RecordSchema):
    """Loads a Balance."""

    record = Balance

    exchange = fields.String(validate=validate.Length(max=_LONGEST))
    asset = fields.String(validate=validate.Length(max=_LONGEST))


@dataclass(frozen=True, slots=True, kw_only=True)
class BalanceLimit:
    """How much of an asset a bot may use at an exchange; a negative amount takes the limit away."""

    exchange: str
    asset: str
    amount: Decimal


class BalanceLimitSchema(RecordSchema):
    """Loads a BalanceLimit."""

    record = BalanceLimit

    exchange = fields.String(required=True, validate=validate.Length(min=1, max=_LONGEST))
    asset = fields.String(required=True, validate=validate.Length(min=1, max=_LONGEST))
    amount = Amount(required=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class BalancePaper:
    """How much of an asset a paper account holds."""

    asset: str
    amount: Decimal


class BalancePaperSchema(RecordSchema):
    """Loads a BalancePaper."""

    record = BalancePaper

    asset = fields.String(required=True, validate=validate.Length(min=1, max=_LONGEST))
    amount = Amount(required=True)


PARAMETERS: Mapping[Command, type[RecordSchema]] = {
    Command.START: StartSchema,
    Command.STOP: StopSchema,
    Command.IMPORT: ImportSchema,
    Command.CONFIG: ConfigSchema,
    Command.STATUS: StatusSchema,
    Command.HISTORY: HistorySchema,
    Command.BALANCE: BalanceSchema,
    Command.BALANCE_LIMIT: BalanceLimitSchema,
    Command.BALANCE_PAPER: BalancePaperSchema,
}
"""How each command's ``data`` is read."""


def parameters(command: Command, data: Mapping[str, Any]) -> Any:
    """Read a command's parameters.

    Raises:
        ContractError: with one fault for each that is wrong.
    """
    return load(PARAMETERS[command], data)
