"""What Hummingbot asks of a connector before it makes one: its fees, and the keys that a user has to give it."""

from decimal import Decimal

from hummingbot.client.config.config_data_types import BaseConnectorConfigMap
from hummingbot.core.data_type.trade_fee import TradeFeeSchema
from pydantic import ConfigDict, Field, SecretStr

CENTRALIZED = True
EXAMPLE_PAIR = "BTC-USDT"
DEFAULT_FEES = TradeFeeSchema(maker_percent_fee_decimal=Decimal("0.001"), taker_percent_fee_decimal=Decimal("0.001"))


class LocalExchangeConfigMap(BaseConnectorConfigMap):
    model_config = ConfigDict(title="local_exchange")
    connector: str = "local_exchange"
    local_exchange_api_key: SecretStr = Field(
        default=...,
        json_schema_extra={
            "prompt": "Enter any key",
            "is_secure": True,
            "is_connect_key": True,
            "prompt_on_new": True,
        },
    )


KEYS = LocalExchangeConfigMap.model_construct()
