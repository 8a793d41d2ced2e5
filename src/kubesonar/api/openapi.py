"""The OpenAPI document (3.1) of an API, made from its operations, so that it cannot differ from what is served."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from kubesonar.web import Handler


class QueryField(msgspec.Struct, frozen=True):
    """One field of a query: what its value is expected to be, in words and as a JSON schema."""

    expected: str
    schema: dict[str, Any]


class Operation(msgspec.Struct, frozen=True):
    """A GET on one path: what it returns, and the fields of its query. `missing` is what may not be there (404), empty
    where that cannot be. `kind` is the content type."""

    path: str
    summary: str
    handler: Handler
    answer: Any
    fields: Mapping[str, QueryField] = {}
    missing: str = ""
    kind: str = "application/json"


class ErrorAnswer(msgspec.Struct, frozen=True):
    """The body of every error: one sentence."""

    error: str


def openapi(title: str, version: str, operations: Sequence[Operation]) -> dict[str, Any]:
    """Return the document."""
    kinds = [operation.answer for operation in operations]
    schemas, components = msgspec.json.schema_components(
        [*kinds, ErrorAnswer], ref_template="#/components/schemas/{name}"
    )
    error = {"application/json": {"schema": schemas[-1]}}
    paths = {
        operation.path: {"get": _described(operation, schema, error)}
        for operation, schema in zip(operations, schemas, strict=False)
    }
    return {
        "openapi": "3.1.0",
        "info": {"title": title, "version": version},
        "paths": paths,
        "security": [{"bearer": []}, {}],
        "components": {
            "schemas": components,
            "securitySchemes": {"bearer": {"type": "http", "scheme": "bearer"}},
        },
    }


def _described(operation: Operation, schema: dict[str, Any], error: dict[str, Any]) -> dict[str, Any]:
    responses: dict[str, Any] = {
        "200": {"description": operation.summary, "content": {operation.kind: {"schema": schema}}},
        "400": {"description": "the query is not understood", "content": error},
        "401": {"description": "a bearer token is needed", "content": error},
        "503": {"description": "there is no judgement yet, or too many clients", "content": error},
    }
    if operation.missing:
        responses["404"] = {"description": operation.missing, "content": error}
    responses["304"] = {"description": "nothing changed since the ETag in If-None-Match"}
    parameters: list[dict[str, Any]] = [
        {"name": name, "in": "query", "description": field.expected, "schema": field.schema}
        for name, field in operation.fields.items()
    ]
    parameters += [
        {"name": part[1:-1], "in": "path", "required": True, "schema": {"type": "string", "minLength": 1}}
        for part in operation.path.split("/")
        if part.startswith("{")
    ]
    return {"summary": operation.summary, "parameters": parameters, "responses": responses}
