"""The operations of a listener as an OpenAPI 3.1 document."""

from __future__ import annotations

from collections.abc import Iterable

from gateway.intake.parse import MAX_DOCUMENTS
from gateway.web.contracts.answers import ProblemSchema
from gateway.web.contracts.operations import JSON, NDJSON, Answer, Body, Operation, Parameter
from gateway.web.contracts.private import private_operations
from gateway.web.contracts.problems import Problems
from gateway.web.contracts.public import public_operations
from gateway.web.roles import ROLES
from schemas.export import DRAFT, VERSION, Components, Document

_ANY = "Any other path answers 404 `not_found`, any other method 405 `method_not_allowed`."
_PUBLIC = f"Takes signals in, and nothing else. {_ANY}"
_PRIVATE = f"What the gateway knows and can be told. {_ANY} Give it a key whose role may do what is asked."
_KEY = {"key": {"type": "http", "scheme": "bearer", "description": "A client's key, or the administrator's."}}
_SECRETS = {
    "token": {"type": "http", "scheme": "bearer", "description": "The source's token."},
    "signature": {
        "type": "apiKey",
        "in": "header",
        "name": "webhook-signature",
        "description": "Standard Webhooks, with `webhook-id` and `webhook-timestamp`.",
    },
}


def public_openapi() -> Document:
    """The contract of the public listener."""
    return _document("signal-gateway: public listener", _PUBLIC, public_operations(), schemes=_SECRETS)


def private_openapi() -> Document:
    """The contract of the private listener."""
    return _document("signal-gateway: private listener", _PRIVATE, private_operations(), schemes=_KEY)


def _document(title: str, description: str, operations: Iterable[Operation], *, schemes: Document) -> Document:
    parts = Components("#/components/schemas/")
    problems = Problems(parts.refer(ProblemSchema))
    paths: dict[str, Document] = {}
    for operation in operations:
        paths.setdefault(operation.path, {})[operation.method] = _operation(operation, parts, problems)
    components = {"schemas": parts.schemas, "responses": problems.responses} | (
        {"securitySchemes": schemes} if schemes else {}
    )
    return {
        "openapi": "3.1.0",
        "info": {"title": title, "version": VERSION, "description": description},
        "jsonSchemaDialect": DRAFT,
        "servers": [{"url": "/"}],
        "paths": paths,
        "components": components,
    }


def _operation(operation: Operation, parts: Components, problems: Problems) -> Document:
    made: Document = {"operationId": operation.name, "summary": operation.summary}
    if operation.route in ROLES:
        made["description"] = f"Role: `{ROLES[operation.route].value}`."
    if operation.secrets:
        made["security"] = [{name: []} for name in operation.secrets]
    if operation.parameters:
        made["parameters"] = [_parameter(parameter) for parameter in operation.parameters]
    if operation.body is not None:
        made["requestBody"] = _body(operation.body, parts)
    answers = {str(status): _answer(answer, parts) for status, answer in operation.answers.items()}
    made["responses"] = dict(sorted({**problems.answers(operation.problems), **answers}.items()))
    return made


def _parameter(parameter: Parameter) -> Document:
    required = {"required": True} if parameter.place == "path" else {}
    named = {"name": parameter.name, "in": parameter.place, "description": parameter.text}
    return {**named, **required, "schema": parameter.schema}


def _body(body: Body, parts: Components) -> Document:
    if body.schema is None:
        schema: Document = {} if body.text else {"type": "object"}
    elif body.closed:
        schema = parts.spell(body.schema) | {"additionalProperties": False}
    else:
        schema = parts.refer(body.schema)
    content = {kind: {"schema": _or_array(schema, most=body.listed)} for kind in body.content}
    if body.example is not None:
        content[JSON] |= {"example": body.example}
    if body.lines:
        content[NDJSON] = {"schema": _lines([schema])}
    described = {"description": body.text} if body.text else {}
    return {**described, "required": True, "content": content}


def _answer(answer: Answer, parts: Components) -> Document:
    made: Document = {"description": answer.text}
    schema: Document = {} if answer.schema is None else parts.refer(answer.schema)
    if answer.listed:
        schema = _or_array(schema, most=MAX_DOCUMENTS)
    content = {kind: {"schema": schema} for kind in answer.content}
    if answer.lines:
        content[NDJSON] = {"schema": _lines([parts.refer(line) for line in answer.lines])}
    return made | ({"content": content} if content else {})


def _or_array(schema: Document, *, most: int) -> Document:
    if not most:
        return schema
    return {"anyOf": [schema, {"type": "array", "items": schema, "minItems": 1, "maxItems": most}]}


def _lines(schemas: Iterable[Document]) -> Document:
    """NDJSON, for which OpenAPI 3.1 has no words of its own."""
    names = " or ".join(f"`{schema['$ref'].rpartition('/')[2]}`" for schema in schemas)
    return {"type": "string", "description": f"A JSON document on each line: {names}."}
