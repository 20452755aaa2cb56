"""The OpenAPI 3.1 document, made from the table of operations and the models (docs/decisions/: why this way)."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from typing import Any

from openapi_pydantic import (
    Components,
    Header,
    Info,
    MediaType,
    OpenAPI,
    Parameter,
    ParameterLocation,
    PathItem,
    Reference,
    RequestBody,
    Response,
    Schema,
    SecurityScheme,
)
from openapi_pydantic import Operation as Described
from openapi_pydantic.util import PydanticSchema, construct_open_api_with_schema_class
from pydantic import BaseModel

from broker.api.face import Answer, AnyOperation
from broker.api.problems import CATALOGUE, MEDIA_TYPE, PAGE, Problem

_ALWAYS = ("internal",)
_KEYED = ("unauthorised", "forbidden", "locked_out")
_WITH_QUERY = ("invalid_input",)
_WITH_BODY = (
    "malformed_json",
    "wrong_encoding",
    "duplicate_field",
    "too_deep",
    "too_slow",
    "too_large",
    "unsupported_media_type",
    "invalid_input",
)
_PARTS = {
    "announcement": "Our id, the reference, or your own external_id.",
    "channel": "A channel's name in the configuration.",
}


def document(operations: Sequence[AnyOperation], version: str) -> bytes:
    """The whole document as JSON."""
    paths: dict[str, dict[str, Described]] = {}
    for operation in operations:
        paths.setdefault(operation.path, {})[operation.method.lower()] = _described(operation)
    key = SecurityScheme(type="http", scheme="bearer", description="An API key, as `loa key new` makes it.")
    described = OpenAPI(
        openapi="3.1.1",
        info=Info(title="Loa", version=version, summary="One announcement in, several platforms out."),
        paths={path: PathItem.model_validate(methods) for path, methods in paths.items()},
        components=Components(securitySchemes={"key": key}),
    )
    whole = construct_open_api_with_schema_class(described)
    return json.dumps(whole.model_dump(mode="json", by_alias=True, exclude_none=True, exclude_unset=True)).encode()


def problem_codes(operation: AnyOperation) -> list[str]:
    """Every error this operation may answer, in the catalogue's order."""
    codes = {*_ALWAYS, *_WITH_QUERY, *operation.problems}
    codes |= set(_KEYED) if operation.scope else set()
    codes |= set(_WITH_BODY) if operation.body else set()
    codes |= {"not_found"} if "{" in operation.path else set()
    codes |= {"bad_request"} if operation.headers else set()
    return [code for code in CATALOGUE if code in codes]


def _described(operation: AnyOperation) -> Described:
    return Described(
        operationId=operation.name,
        summary=operation.summary,
        parameters=[*_path_parts(operation.path), *_query(operation.query), *_headers(operation)] or None,
        requestBody=_request_body(operation.body) if operation.body else _file(operation.file),
        responses={**_answers(operation.answers), **_problems(problem_codes(operation))},
        security=[{"key": [operation.scope.value]}] if operation.scope else [],
    )


def _path_parts(path: str) -> Iterable[Parameter]:
    for name in re.findall(r"\{(\w+)\}", path):
        yield _parameter(name, ParameterLocation.PATH, _PARTS[name], Schema(type="string"), required=True)


def _query(model: type[BaseModel]) -> Iterable[Parameter]:
    found = model.model_json_schema(ref_template="#/components/schemas/{model}")
    for name, schema in found.get("properties", {}).items():
        says = schema.pop("description", None)
        yield _parameter(name, ParameterLocation.QUERY, says, _without_null(schema))


def _headers(operation: AnyOperation) -> Iterable[Parameter]:
    for name, says in operation.headers:
        yield _parameter(name, ParameterLocation.HEADER, says, Schema(type="string"))


def _parameter(
    name: str, where: ParameterLocation, says: str | None, schema: Schema | Reference, *, required: bool = False
) -> Parameter:
    given = {"name": name, "in": where, "description": says, "schema": schema, "required": required}
    return Parameter.model_validate(given)


def _without_null(schema: dict[str, Any]) -> Schema | Reference:
    """A parameter that may be left out is no parameter that may be null."""
    kinds = [one for one in schema.get("anyOf", ()) if one.get("type") != "null"]
    schema = kinds[0] if kinds else schema
    return Reference.model_validate(schema) if "$ref" in schema else Schema.model_validate(schema)


def _request_body(model: type[BaseModel]) -> RequestBody:
    required = any(field.is_required() for field in model.model_fields.values())
    return RequestBody(content={"application/json": _as(model)}, required=required)


def _file(says: str) -> RequestBody | None:
    """A body that is a file, without anything around it."""
    content = {"application/octet-stream": MediaType()}
    return RequestBody(content=content, description=says, required=True) if says else None


def _answers(answers: Iterable[Answer]) -> dict[str, Response]:
    found: dict[str, Response] = {}
    for answer in answers:
        content = {answer.media_type: _as(answer.model)}
        if known := found.get(str(answer.status)):
            known.content = {**(known.content or {}), **content}
            known.description += f" {answer.says}"
            continue
        headers = {name: Header(description=says, param_schema=Schema(type="string")) for name, says in answer.headers}
        found[str(answer.status)] = Response(description=answer.says, content=content, headers=headers or None)
    return found


def _as(model: type[BaseModel] | None) -> MediaType:
    return MediaType(media_type_schema=PydanticSchema(schema_class=model) if model else None)


def _problems(codes: Iterable[str]) -> dict[str, Response]:
    by_status: dict[int, list[str]] = {}
    for code in codes:
        by_status.setdefault(CATALOGUE[code].status, []).append(code)
    return {
        str(status): Response(
            description=" ".join(f"`{code}`: {CATALOGUE[code].title}" for code in listed) + f" See {PAGE}.",
            content={MEDIA_TYPE: _as(Problem)},
        )
        for status, listed in sorted(by_status.items())
    }
