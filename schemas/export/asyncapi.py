"""The topics of version 1 as an AsyncAPI 3 document, from the gateway's point of view."""

from __future__ import annotations

import re

from schemas import envelope as e
from schemas.export.channels import PARAMETERS, Channel, channels
from schemas.export.components import Components
from schemas.export.messages import BODIES, COMMANDS, PERFORMANCE, PLAIN, envelope, performance, schema_name
from schemas.export.scalars import Document
from schemas.topics import Topics

VERSION = "1.0.0"
"""The contract's, whatever the gateway's is."""

_BINDING = "0.2.0"
_DESCRIPTION = (
    "What goes between gateway, bots and whoever commands bots, over MQTT. A reader ignores fields that it does not"
    " know and takes null for absent; a writer leaves absent fields out. Signals, commands and telemetry are never"
    " retained."
)


def asyncapi(topics: Topics) -> Document:
    """The document for a topic tree."""
    parts = Components("#/components/schemas/")
    every = list(channels(topics))
    messages = {name: _message(name, parts) for channel in every for name in channel.messages}
    return {
        "asyncapi": "3.0.0",
        "info": {"title": "signal-gateway", "version": VERSION, "description": _DESCRIPTION},
        "defaultContentType": "application/json",
        "channels": {channel.name: _channel(channel) for channel in every},
        "operations": {f"{channel.action}-{channel.name}": _operation(channel) for channel in every},
        "components": {
            "messages": messages,
            "schemas": parts.schemas,
            "parameters": {name: {"description": text} for name, text in PARAMETERS.items()},
        },
    }


def _channel(channel: Channel) -> Document:
    names = re.findall(r"\{(\w+)\}", channel.topic)
    parameters = {name: {"$ref": f"#/components/parameters/{name}"} for name in names}
    return {
        "address": channel.topic,
        "description": channel.summary,
        "messages": {name: {"$ref": f"#/components/messages/{name}"} for name in channel.messages},
        "parameters": parameters,
    }


def _operation(channel: Channel) -> Document:
    at = f"#/channels/{channel.name}"
    made: Document = {
        "action": channel.action,
        "channel": {"$ref": at},
        "summary": channel.summary,
        "messages": [{"$ref": f"{at}/messages/{name}"} for name in channel.messages],
        "bindings": {"mqtt": {"qos": 1, "retain": channel.retain, "bindingVersion": _BINDING}},
    }
    if channel.reply:
        where = {"description": "The topic that the request names.", "location": "$message.payload#/header/reply_to"}
        made["reply"] = {"address": where, "messages": [{"$ref": "#/channels/reply/messages/command.reply"}]}
        made["reply"] |= {"channel": {"$ref": "#/channels/reply"}}
    return made


def _message(name: str, parts: Components) -> Document:
    if name in BODIES:
        return _event(name, parts)
    title = {"name": name, "title": name, "contentType": "application/json"}
    return title | {"payload": _payload(name, parts)}


def _event(type_: str, parts: Components) -> Document:
    content = {"name": type_, "title": schema_name(type_), "contentType": e.CONTENT_TYPE}
    at = f"Envelope.{schema_name(type_)}"
    parts.schemas[at] = envelope(parts, type_)
    bound = {"mqtt": {"contentType": e.CONTENT_TYPE, "bindingVersion": _BINDING}}
    return content | {"payload": parts.named(at), "bindings": bound}


def _payload(name: str, parts: Components) -> Document:
    if name == PERFORMANCE:
        return performance(parts)
    if name in PLAIN:
        return parts.refer(PLAIN[name])
    data = {"type": "object", "properties": {"data": parts.refer(COMMANDS[name])}}
    return {"allOf": [parts.refer(PLAIN["command.request"]), data]}
