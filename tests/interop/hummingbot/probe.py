"""What the application itself says of its state, past every plugin and bridge: whoever connects gets it as JSON."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any


async def serve(application: Any) -> None:
    """Listen on a free port, which stands in probe.port."""

    async def answer(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(json.dumps(await state(application), default=str).encode())
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    Path("probe.port").write_text(str(server.sockets[0].getsockname()[1]))


async def state(application: Any) -> dict[str, Any]:
    core, config = application.trading_core, application.client_config_map
    strategy = core.strategy
    return {
        "running": core._strategy_running,
        "name": core.strategy_name,
        "file": core.strategy_file_name,
        "strategy": strategy and type(strategy).__name__,
        "at": strategy and strategy.current_timestamp,
        "status": strategy and await shown(strategy),
        "config": values(getattr(strategy, "config", None)),
        "imported": values(core.strategy_config_map),
        "connectors": {name: of_connector(connector) for name, connector in core.connectors.items()},
        "limits": config.balance_asset_limit,
        "paper": config.paper_trade.paper_trade_account_balance,
        "client": values(config.hb_config),
        "bridge": application._mqtt is not None and application._mqtt.health,
    }


async def shown(strategy: Any) -> str:
    status = strategy.format_status()
    return await status if asyncio.iscoroutine(status) else status


def of_connector(connector: Any) -> dict[str, Any]:
    return {
        "ready": connector.ready,
        "pairs": connector.trading_pairs,
        "balances": {asset: str(amount) for asset, amount in connector.get_all_balances().items()},
        "available": {asset: str(connector.get_available_balance(asset)) for asset in connector.get_all_balances()},
        "orders": [order.client_order_id for order in connector.limit_orders],
    }


def values(config: Any) -> dict[str, Any] | None:
    """A configuration as plain values: a pydantic model, or the variables of an older strategy."""
    if config is None:
        return None
    if isinstance(config, dict):
        return {name: variable.value for name, variable in config.items()}
    return json.loads(getattr(config, "hb_config", config).model_dump_json(warnings=False))
