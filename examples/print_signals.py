"""The smallest bot: prints each signal that reaches it.

SIGNAL_GATEWAY_BOT=demo python examples/print_signals.py
SIGNAL_GATEWAY_ENV_FILE=data/bots/demo.env python examples/print_signals.py
"""

from __future__ import annotations

import logging

from bot_plugin import Signal, SignalListener, run_program


def describe(signal: Signal) -> str:
    what = [signal.mode, signal.source, signal.action, signal.pair, signal.quantity and signal.quantity.value]
    text = signal.message and signal.message.encode("unicode_escape").decode()
    return " ".join(str(part) for part in (*what, text, f"id={signal.id}") if part is not None)


def main() -> None:
    listener = SignalListener.from_env()

    @listener.on_trade("*")
    async def act(signal: Signal) -> None:
        print("trade", describe(signal), flush=True)

    @listener.on_alert("*")
    async def note(signal: Signal) -> None:
        print("alert", describe(signal), flush=True)

    print(f"bot {listener.settings.bot} listens", flush=True)
    listener.main()


if __name__ == "__main__":
    logging.basicConfig(level=logging.WARNING, format="%(message)s")
    run_program(main)
