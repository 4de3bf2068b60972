"""A bot as Hummingbot made them until v2.14, on a node of commlib-py: older_bot.py NAME PORT RECORD.

What of it other programs see: a heartbeat in nanoseconds, one command, and external events, which it writes down. The
login's password is in the environment, and the login's name is the bot's.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

from commlib.msg import PubSubMessage, RPCMessage
from commlib.node import Node
from commlib.transports.mqtt import ConnectionParameters


class Status(RPCMessage):
    class Request(RPCMessage.Request):
        async_backend: bool | None = False

    class Response(RPCMessage.Response):
        status: int | None = 200
        msg: str | None = ""
        data: str | None = ""


class ExternalEvent(PubSubMessage):
    timestamp: int | None = -1
    sequence: int | None = 0
    type: str | None = "eevent"
    data: dict[str, Any] | None = None


def main(name: str, port: str, record: str) -> None:
    def hear(message: ExternalEvent, topic: str) -> None:
        with Path(record).open("a") as lines:
            lines.write(json.dumps({"topic": topic, **message.model_dump()}) + "\n")

    login = {"username": name, "password": os.environ["PASSWORD"]} if "PASSWORD" in os.environ else {}
    node = Node(
        node_name=f"hbot.{name}",
        connection_params=ConnectionParameters(host="127.0.0.1", port=int(port), **login),
        heartbeats=True,
        heartbeat_uri=f"hbot/{name}/hb",
        heartbeat_interval=1,
    )
    node.create_rpc(
        msg_type=Status, rpc_name=f"hbot/{name}/status", on_request=lambda _: Status.Response(msg="it ticks")
    )
    node.create_psubscriber(msg_type=ExternalEvent, topic=f"hbot/{name}/external/event/*", on_message=hear)
    node.run_forever()


if __name__ == "__main__":
    main(*sys.argv[1:])
