"""Everybody who has a login at the broker: hashes and permissions by name, which each broker's files are made from."""

from __future__ import annotations

from gateway.config.bots import read_bots
from gateway.config.clients import read_clients
from gateway.config.passwords import hashed
from gateway.config.permissions import client_permissions, gateway_permissions, permissions
from gateway.config.settings import Settings
from gateway.mqtt.permissions import Permissions


def hashes(settings: Settings) -> dict[str, str]:
    """The password hashes of bots and clients by name."""
    logins = {name: bot.password_hash for name, bot in read_bots(settings.folder.bots).items()}
    clients = read_clients(settings.folder.clients).items()
    return logins | {name: client.password_hash for name, client in clients if client.password_hash}


def hashes_with_own(settings: Settings) -> dict[str, str]:
    """The same with the gateway's own, which is another one each time that it is made."""
    username, password = settings.link.username, settings.link.password
    return hashes(settings) | ({username: hashed(password)} if username and password else {})


def allowed(settings: Settings) -> dict[str, Permissions]:
    """The permissions of everybody who has a login, the gateway among them, by name."""
    topics, link = settings.topics, settings.link
    bots, clients = read_bots(settings.folder.bots).values(), read_clients(settings.folder.clients).values()
    rules = {bot.name: permissions(bot.name, bot.sources, topics) for bot in bots}
    rules |= {client.name: client_permissions(client, topics) for client in clients if client.password_hash}
    return rules | ({link.username: gateway_permissions(topics)} if link.username and link.password else {})
