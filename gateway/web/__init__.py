"""The two HTTP listeners: public and private."""

from gateway.web.access import ApiKeys
from gateway.web.limits import RateLimit
from gateway.web.listener import HttpListener
from gateway.web.private import Inside, Private, Status
from gateway.web.public import Public
from gateway.web.settings import ListenSettings, PrivateSettings, PublicSettings

__all__ = [
    "ApiKeys",
    "HttpListener",
    "Inside",
    "ListenSettings",
    "Private",
    "PrivateSettings",
    "Public",
    "PublicSettings",
    "RateLimit",
    "Status",
]
