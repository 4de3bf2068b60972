"""The smallest bot: prints each signal that reaches it.

SIGNAL_GATEWAY_BOT=demo python examples/print_signals.py
SIGNAL_GATEWAY_ENV_FILE=data/bots/demo.env python examples/print_signals.py
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import signal
import sys

from bot_plugin import LinkRefused, NameTaken, SettingsError, Signal, SignalListener


def describe(signal: Signal) -> str:
    what = [signal.mode, signal.source, signal.action, signal.pair, signal.quantity and signal.quantity.value]
    text = signal.message and signal.message.encode("unicode_escape").decode()
    return " ".join(str(part) for part in (*what, text, f"id={signal.id}") if part is not None)


async def main() -> None:
    listener = SignalListener.from_env()

    @listener.on_trade("*")
    async def act(signal: Signal) -> None:
        print("trade", describe(signal), flush=True)

    @listener.on_alert("*")
    async def note(signal: Signal) -> None:
        print("alert", describe(signal), flush=True)

    with contextlib.suppress(NotImplementedError):  # Windows
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, listener.stop)
    print(f"bot {listener.settings.bot} listens", flush=True)
    await listener.run()


if __name__ == "__main__":
    logging.basicConfig(level=logging.WARNING, format="%(name)s: %(message)s")
    try:
        asyncio.run(main())
    except (SettingsError, NameTaken, LinkRefused) as error:
        sys.exit(str(error))
    except KeyboardInterrupt:
        pass
