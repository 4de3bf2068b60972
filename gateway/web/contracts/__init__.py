"""The contract as documents and as a page: OpenAPI 3.1 of both listeners, AsyncAPI of the topics, JSON Schemas."""

from gateway.web.contracts.documents import documents, spelled
from gateway.web.contracts.page import page

__all__ = ["documents", "page", "spelled"]
