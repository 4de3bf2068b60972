"""The worker that listens: bind, serve until cancelled, finish what was begun."""

from __future__ import annotations

import asyncio
import errno
import socket
from collections.abc import Callable

from aiohttp.web import ServerRunner, TCPSite

from gateway.errors import Misconfigured
from gateway.ports import holder
from gateway.telemetry import Telemetry
from gateway.web.server import Front, HttpServer, Site
from gateway.web.settings import ListenSettings

_LINGER = 5.0
"""Seconds that the rest of a refused body is read and thrown away, so that its sender sees the answer."""


class HttpListener:
    """Serves one site on one address.

    Args:
        on_stop: called when it stops listening, so that requests without an end come to one.
    """

    def __init__(
        self,
        site: Site,
        *,
        settings: ListenSettings,
        telemetry: Telemetry,
        on_stop: Callable[[], None] = lambda: None,
    ) -> None:
        self.name = f"http.{site.name}"
        self._front = Front(site, telemetry=telemetry)
        self._settings = settings
        self._on_stop = on_stop
        self._runner: ServerRunner | None = None

    async def start(self) -> None:
        """Listen.

        Raises:
            Misconfigured: the address cannot be had; says who has it and which setting to change.
        """
        settings = self._settings
        server = HttpServer(
            self._front,
            max_connections=settings.max_connections,
            auto_decompress=False,
            access_log=None,
            keepalive_timeout=settings.idle,
            lingering_time=_LINGER,
        )
        # The runner waits twice: for handlers, then for what they left; each gets half.
        runner = ServerRunner(server, shutdown_timeout=settings.drain / 2)
        await runner.setup()
        try:
            await TCPSite(runner, settings.host, settings.port).start()
        except OSError as error:
            await runner.cleanup()
            raise Misconfigured(await asyncio.to_thread(_explain, error, settings)) from error
        self._runner = runner

    async def run(self) -> None:
        """Serve until cancelled; then stop listening and let requests finish for at most ``drain`` seconds."""
        if self._runner is None:
            await self.start()
        try:
            await asyncio.get_running_loop().create_future()
        finally:
            await self.stop()

    async def stop(self) -> None:
        """Stop listening and let requests finish."""
        if self._runner is not None:
            self._on_stop()
            await self._runner.cleanup()
            self._runner = None


def _explain(error: OSError, settings: ListenSettings) -> str:
    host, port, setting = settings.host, settings.port, settings.setting
    place = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    if error.errno == errno.EADDRINUSE:
        by = holder(port) or "another process"
        return f"{place} is taken by {by}. Stop it, or set {setting}.port to another port."
    if error.errno == errno.EACCES:
        return f"{place}: this user may not listen on a port below 1024. Set {setting}.port to 1024 or above."
    if error.errno == errno.EADDRNOTAVAIL or isinstance(error, socket.gaierror):
        return f"{host} is no address of this machine. Set {setting}.host, for example to 127.0.0.1 or 0.0.0.0."
    return f"Cannot listen on {place}: {error}. Look at {setting}.host and {setting}.port."
