"""The table of operations, the document made from it, and the catalogue of errors."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from openapi_spec_validator import OpenAPIV31SpecValidator

import broker.errors
from broker.api.openapi import document
from broker.api.operations import OPERATIONS
from broker.api.problems import CATALOGUE, page
from broker.errors import ConfigError, LoaError, StoreInUse
from broker.rules.agency import Scope

ROOT = Path(__file__).resolve().parents[3]
DOCUMENT = json.loads(document(OPERATIONS, "1"))


def test_the_document_is_openapi():
    assert DOCUMENT["openapi"].startswith("3.1.")
    OpenAPIV31SpecValidator(DOCUMENT).validate()


def test_every_operation_is_described():
    described = {(method.upper(), path) for path, methods in DOCUMENT["paths"].items() for method in methods}
    assert described == {(one.method, one.path) for one in OPERATIONS}
    names = [operation["operationId"] for methods in DOCUMENT["paths"].values() for operation in methods.values()]
    assert len(names) == len(set(names))


def test_only_what_tells_nothing_is_open():
    assert {one.name for one in OPERATIONS if not one.scope} == {"healthz", "readyz", "openapi", "errors"}
    assert {one.scope for one in OPERATIONS if one.scope} == set(Scope)


async def test_the_server_gives_out_this_document(room):
    given = (await room.get("/openapi.json", key=None)).json
    assert given["paths"] == DOCUMENT["paths"]


# -- errors


def test_the_page_of_errors_is_the_catalogue():
    """Write it anew: python -c "from broker.api.problems import page; print(page(), end='')" > docs/errors.md"""
    assert (ROOT / "docs" / "errors.md").read_text(encoding="utf-8") == page()


async def test_every_problem_leads_to_its_section(room):
    answer = await room.get("/v1/nowhere", key=None)
    path, _, section = answer.json["type"].partition("#")
    served = await room.get(path, key=None, checked=False)
    assert re.search(rf"^## {section}$", served.body.decode(), re.MULTILINE)


@pytest.mark.parametrize("code", sorted(CATALOGUE))
def test_an_error_says_what_to_do(code):
    known = CATALOGUE[code]
    assert known.title[0].isupper() and known.title.endswith(".")  # noqa: PT018
    assert re.fullmatch(r"[a-z_]+", known.code)
    assert known.status != 429 or known.code == "locked_out"


def codes_in_the_source() -> Iterator[str]:
    """Every code given to an error, and those of the error classes that callers of the API may meet."""
    for path in (ROOT / "broker").rglob("*.py"):
        if "cli" not in path.parts:
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                match node:
                    case ast.Call(func=ast.Name(id="refused"), args=[ast.Constant(value=str(code)), *_]):
                        yield code
                    case ast.keyword(arg="code", value=ast.Constant(value=str(code))):
                        yield code
    for kind in vars(broker.errors).values():
        if isinstance(kind, type) and issubclass(kind, LoaError) and not issubclass(kind, ConfigError | StoreInUse):
            yield kind.code


def test_every_code_is_in_the_catalogue():
    assert set(codes_in_the_source()) <= CATALOGUE.keys()


def test_a_status_is_the_same_everywhere():
    for kind in vars(broker.errors).values():
        if isinstance(kind, type) and issubclass(kind, LoaError) and kind.code in CATALOGUE:
            assert kind.status == CATALOGUE[kind.code].status, kind
