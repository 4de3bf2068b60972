"""Give the Hummingbot of this folder a password, and the local exchange's key: keys.py PASSWORD."""

import sys

from hummingbot.client.config.config_crypt import ETHKeyFileSecretManger, store_password_verification
from hummingbot.client.config.config_helpers import ClientConfigAdapter
from hummingbot.client.config.security import Security
from hummingbot.client.settings import AllConnectorSettings

secrets = ETHKeyFileSecretManger(sys.argv[1])
store_password_verification(secrets)
assert Security.login(secrets)
exchange = ClientConfigAdapter(AllConnectorSettings.get_connector_config_keys("local_exchange"))
exchange.local_exchange_api_key = "key"
Security.update_secure_config(exchange)
