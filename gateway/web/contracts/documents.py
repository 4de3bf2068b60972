"""Every document of the contract, by the path at which it is served, exported and committed."""

from __future__ import annotations

import json
from collections.abc import Mapping

from gateway.web.contracts.openapi import private_openapi, public_openapi
from schemas.export import Document, asyncapi, json_schemas
from schemas.topics import Topics


def documents(topics: Topics) -> Mapping[str, Document]:
    """Make every document for a topic tree."""
    return {
        "openapi.json": private_openapi(),
        "openapi-public.json": public_openapi(),
        "asyncapi.json": asyncapi(topics),
        **{f"schemas/{name}.json": schema for name, schema in json_schemas().items()},
    }


def spelled(document: Document) -> bytes:
    """A document as the bytes of its file."""
    return f"{json.dumps(document, indent=1, ensure_ascii=False)}\n".encode()
