"""A strategy with a rhythm of its own: the listener runs in a thread, and each tick looks into a queue.

SIGNAL_GATEWAY_BOT=demo python examples/queue_strategy.py
"""

from __future__ import annotations

import os
import time

from bot_plugin import Latest, SignalListener, SignalQueue, run_program

TICK = float(os.environ.get("TICK", "1"))


def tick(orders: SignalQueue, trend: Latest) -> None:
    """What a strategy does once per tick. Nothing here waits."""
    direction = trend.get()
    order = orders.get_nowait()
    if order is None:
        return
    with order:  # handled at the end of the block, failed if it raises
        if direction is not None and direction.action is not order.action:
            print(f"against the trend: {order.action} {order.pair} id={order.id}", flush=True)
        else:
            print(f"{order.action} {order.pair} id={order.id}", flush=True)


def main() -> None:
    listener = SignalListener.from_env()
    orders = listener.queue("*", size=100)
    trend = listener.latest("*", name="trend")
    with listener.in_thread() as running:
        print(f"bot {listener.settings.bot} listens", flush=True)
        while running.error is None:
            tick(orders, trend)
            time.sleep(TICK)


if __name__ == "__main__":
    run_program(main)
