"""Requests and replies of remote commands, as Python says them; the files in v1/ say the same in bytes."""

from __future__ import annotations

from schemas.rpc import Reply, Request
from schemas.signature import CommandKey, Signed

AT = 1_795_342_501_123_000
"""2026-11-22T10:15:01.123Z in microseconds."""

REPLY_TO = "signals/v1/reply/demo/desk/5f2b9c1d7e8a4f60b3c2d1e0f9a8b7c6"

KEY = CommandKey(kid="desk-2026", secret=bytes(range(32)))

SIGNED = Signed(
    topic="hbot/demo/stop",
    msg_id="0193a6c2-7e4d-7a10-8f3b-0a1b2c3d4e5f",
    deadline=AT + 30_000_000,
    reply_to=REPLY_TO,
    data={"skip_order_cancellation": True},
)

REQUESTS = {
    "command_request": Request(
        data={"exchange": "binance", "asset": "BTC", "amount": "0.50"},
        reply_to=REPLY_TO,
        msg_id=SIGNED.msg_id,
        sender="desk",
        timestamp=AT,
        deadline=AT + 30_000_000,
    ),
    "command_request_minimal": Request(reply_to="rpc-00112233445566778899aabbccddeeff"),
}

REPLIES = {
    "command_reply": Reply(status=200, msg="stopped", timestamp=AT),
    "command_reply_history": Reply(
        status=200, more={"trades": [{"market": "binance", "price": "61234.5", "quantity": "0.50"}]}, timestamp=AT
    ),
    "command_reply_refused": Reply(status=400, msg="amount: is missing.", timestamp=AT),
}
