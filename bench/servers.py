"""What the gateway is measured against: a bare aiohttp handler, and one that parses and loads the same body."""

from __future__ import annotations

import json
import sys
from decimal import Decimal
from importlib import import_module
from importlib.util import find_spec

from aiohttp import web
from marshmallow import EXCLUDE, Schema, fields, validate


class AlertBody(Schema):
    """The body that the load generator sends, as a strict handler would declare it."""

    class Meta:
        """Other keys are ignored."""

        unknown = EXCLUDE

    ticker = fields.String(required=True)
    exchange = fields.String()
    action = fields.String(required=True, validate=validate.OneOf(["buy", "sell"]))
    contracts = fields.Decimal(required=True, validate=validate.Range(min=Decimal(0)))
    price = fields.Decimal(validate=validate.Range(min=Decimal(0)))
    market_position = fields.String(validate=validate.OneOf(["long", "short", "flat"]))
    market_position_size = fields.Decimal()
    prev_market_position = fields.String(validate=validate.OneOf(["long", "short", "flat"]))
    prev_market_position_size = fields.Decimal()
    order_id = fields.String()
    interval = fields.String()
    timenow = fields.DateTime(format="iso")


_schema = AlertBody()


async def bare(request: web.Request) -> web.Response:
    """Read the body and answer."""
    await request.read()
    return web.json_response({"id": "0", "status": "accepted"}, status=202)


async def loading(request: web.Request) -> web.Response:
    """Parse and load the body with marshmallow, and answer."""
    _schema.load(json.loads(await request.read(), parse_float=Decimal))
    return web.json_response({"id": "0", "status": "accepted"}, status=202)


def main() -> None:
    """Serve ``bare`` or ``loading`` on a port of the loopback: ``python -m bench.servers bare 8000``."""
    name, port = sys.argv[1:]
    if find_spec("uvloop"):
        import_module("uvloop").install()
    app = web.Application()
    app.router.add_post("/hooks/{source}/{token}", {"bare": bare, "loading": loading}[name])
    web.run_app(app, host="127.0.0.1", port=int(port), access_log=None, print=None)


if __name__ == "__main__":
    main()
