"""The contract as documents that other programs read: JSON Schema 2020-12 and AsyncAPI 3, made from the schemas."""

from schemas.export.asyncapi import VERSION, asyncapi
from schemas.export.components import Components
from schemas.export.messages import DRAFT, json_schemas
from schemas.export.scalars import Document, Either

__all__ = ["DRAFT", "VERSION", "Components", "Document", "Either", "asyncapi", "json_schemas"]
