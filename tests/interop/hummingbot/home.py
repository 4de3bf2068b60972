"""A folder in which Hummingbot lives as a source installation does, with an exchange that needs no network."""

from __future__ import annotations

import json
import shutil
import subprocess
from decimal import Decimal
from pathlib import Path
from typing import Any

import yaml

HERE = Path(__file__).parent
PASSWORD = "interop"  # of the folders that tests make
EXCHANGE = "local_exchange"


class LocalExchange:
    """The exchange as seen from outside: the test sets its prices, and reads what became of orders.

    Every amount is exact. A market order takes the price that is there, a limit order too, or its own where it waited
    for it; the fee is 0.1 % of the quote amount, in the quote asset, on top.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._market: dict[str, Any] = {"online": True, "pairs": {}}
        folder.mkdir(parents=True)
        self.price("BTC-USDT", bid="99.9", ask="100.1")
        self.price("ETH-USDT", bid="9.99", ask="10.01")

    def price(self, pair: str, *, bid: str, ask: str, share: str = "1") -> None:
        """Set what somebody else pays and asks; of an order that reaches it, this share is filled at once."""
        self._market["pairs"][pair] = {"bid": bid, "ask": ask, "share": share}
        self._tell()

    def behave(self, *, online: bool = True, refuses: str = "") -> None:
        """Be away, or refuse orders with these words."""
        self._market |= {"online": online, "refuses": refuses}
        self._tell()

    def balances(self) -> dict[str, Decimal]:
        return {asset: Decimal(amount) for asset, amount in self._account()["balances"].items()}

    def orders(self, *, state: str = "") -> list[dict[str, Any]]:
        """All orders in the order of their arrival, or those that are OPEN, FILLED, CANCELED."""
        return [order for order in self._account()["orders"].values() if state in ("", order["state"])]

    def trades(self) -> list[dict[str, Any]]:
        return list(self._account()["trades"])

    def _tell(self) -> None:
        made = self.folder / "market.new"
        made.write_text(json.dumps(self._market))
        made.replace(self.folder / "market.json")

    def _account(self) -> dict[str, Any]:
        account = self.folder / "account.json"
        return json.loads(account.read_text()) if account.exists() else {"balances": {}, "orders": {}, "trades": []}


class Home:
    """Hummingbot's folder: its conf, scripts, data and logs, and the package itself.

    The package is a tree of links to the installed one with the exchange among its connectors, so that it is found and
    made as Hummingbot finds and makes its own. ``environment`` is what an interpreter has to be started with.
    """

    def __init__(self, folder: Path, python: Path) -> None:
        self.folder, self.python = folder, python
        self.name = ""
        for part in ("conf/strategies", "conf/connectors", "conf/scripts", "conf/controllers", "data", "logs"):
            (folder / part).mkdir(parents=True)
        for part in ("scripts", "controllers"):
            (folder / part).mkdir()
        self._link_package()
        self.exchange = LocalExchange(folder / "exchange")
        logs = self.package / "templates" / "hummingbot_logs_TEMPLATE.yml"
        shutil.copy(logs, folder / "conf" / "hummingbot_logs.yml")

    @property
    def package(self) -> Path:
        (found,) = self.python.parents[1].glob("lib/python3.*/site-packages/hummingbot")
        return found

    @property
    def environment(self) -> dict[str, str]:
        return {"PYTHONPATH": str(self.folder)}

    def settle(self, keys: Path) -> None:
        """Take the password and the exchange's key from a folder that ``keys.py`` filled."""
        shutil.copytree(keys, self.folder / "conf", dirs_exist_ok=True)

    def configure(self, instance: str, port: int, **settings: Any) -> None:
        """Write conf_client.yml; ``mqtt_bridge`` and any other of its settings may be given or replaced."""
        self.name = instance
        bridge = {"mqtt_host": "127.0.0.1", "mqtt_port": port, "mqtt_autostart": True}
        client: dict[str, Any] = {"instance_id": instance, "anonymized_metrics_mode": {}}
        client |= settings | {"mqtt_bridge": bridge | settings.get("mqtt_bridge", {})}
        self._write("conf_client.yml", client)

    def script(self, source: Path, **conf: Any) -> str:
        """Put a script into scripts/, and its configuration beside the others; the configuration's name."""
        shutil.copy(source, self.folder / "scripts")
        name = f"{source.stem}.yml"
        self._write(f"scripts/{name}", {"script_file_name": source.name, **conf})
        return name

    def controller(self, source: Path, kind: str, **conf: Any) -> str:
        """Put a controller into controllers/KIND, and its configuration; the configuration's name."""
        (self.folder / "controllers" / kind).mkdir(exist_ok=True)
        shutil.copy(source, self.folder / "controllers" / kind)
        name = f"{source.stem}.yml"
        values = {"id": source.stem, "controller_name": source.stem, "controller_type": kind, **conf}
        self._write(f"controllers/{name}", values)
        return name

    def strategy(self, name: str, **conf: Any) -> str:
        """Put the configuration of a V1 strategy into conf/strategies; its name."""
        self._write(f"strategies/{name}.yml", conf)
        return f"{name}.yml"

    def _write(self, name: str, values: dict[str, Any]) -> None:
        (self.folder / "conf" / name).write_text(yaml.safe_dump(values))

    def _link_package(self) -> None:
        inside, package = self.folder / "hummingbot", self.package
        (inside / "connector" / "exchange").mkdir(parents=True)
        for part in ("", "connector", "connector/exchange"):
            for path in (package / part).iterdir():
                link = inside / part / path.name
                if not link.exists() and path.name != "__pycache__":
                    link.symlink_to(path)
        (inside / "connector" / "exchange" / EXCHANGE).symlink_to(HERE / "exchange" / EXCHANGE)
        (inside / "__init__.py").unlink()
        shutil.copy(package / "__init__.py", inside)  # whose place on the disk is Hummingbot's folder


def make_keys(folder: Path, python: Path, *, scratch: Path) -> Path:
    """A folder with what a Hummingbot's conf needs that is encrypted: made once, it fits every home."""
    home = Home(scratch, python)
    subprocess.run([python, HERE / "keys.py", PASSWORD], cwd=scratch, env=home.environment, check=True)
    shutil.copytree(scratch / "conf" / "connectors", folder / "connectors")
    shutil.copy(scratch / "conf" / ".password_verification", folder)
    return folder
