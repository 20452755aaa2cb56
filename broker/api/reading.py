"""Reads what callers send, bounded in size, depth and time; what cannot be read is refused with the reason."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncGenerator, Mapping
from typing import Any, NoReturn, TypeVar

from aiohttp import web
from pydantic import BaseModel, ValidationError

from broker.api.problems import refused
from broker.errors import FieldProblem
from broker.intake import problems

DEEPEST = 16
"""Levels of nesting; an announcement has three."""

M = TypeVar("M", bound=BaseModel)

# A string without an end goes to the end of the text: looked for again from each quote it would take quadratic time.
_MARKS = re.compile(r'"[^"\\]*(?:\\.[^"\\]*)*(?:"|\\?\Z)|[\[{]|[\]}]', re.DOTALL)


async def read_body(request: web.Request, model: type[M], *, limit: int, within: float) -> M:
    """The body as `model`; an absent body is an empty object. `limit` in bytes, `within` in seconds."""
    raw = await read_raw(request, limit, within)
    if not raw and not any(field.is_required() for field in model.model_fields.values()):
        return model()
    _check_media_type(request)
    return valid(model, parsed(raw))


def read_query(request: web.Request, model: type[M]) -> M:
    """The parameters after `?` as `model`."""
    given = request.query
    if twice := sorted({name for name in given if len(given.getall(name)) > 1}):
        raise refused("invalid_input", "A parameter was given twice.", FieldProblem(twice[0], "give it once"))
    return valid(model, dict(given))


def parsed(raw: bytes) -> dict[str, Any]:
    """One JSON object (RFC 8259): UTF-8, no name twice, no NaN, not too deep."""
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise refused("wrong_encoding", f"Byte {error.start} of the body is no UTF-8.") from None
    if _is_too_deep(text):
        raise refused("too_deep", f"The body is nested more than {DEEPEST} levels deep.")
    try:
        value = json.loads(text, object_pairs_hook=_each_once, parse_constant=_no_number)
    except json.JSONDecodeError as error:
        raise refused("malformed_json", f"Line {error.lineno}, column {error.colno}: {error.msg}.") from None
    except ValueError:
        raise refused("malformed_json", "A number in the body is too long.") from None
    if not isinstance(value, dict):
        raise refused("invalid_input", "The body must be one JSON object.", FieldProblem("", "must be an object"))
    return value


async def read_raw(request: web.Request, limit: int, within: float) -> bytes:
    """The body as it came, at most `limit` bytes of it."""
    if (request.content_length or 0) > limit:
        _too_large(limit)
    await _go_on(request)
    if request.content.is_eof() and request.content.total_bytes <= limit:
        return request.content.read_nowait(-1) if request.content.total_bytes else b""
    body = bytearray()
    try:
        async with asyncio.timeout(within):
            async for chunk in request.content.iter_any():
                body += chunk
                if len(body) > limit:
                    _too_large(limit)
    except TimeoutError:
        raise refused("too_slow", f"The body did not arrive within {within:g} s.") from None
    except web.RequestPayloadError:
        raise refused("bad_request", "The body's chunks are broken.") from None
    return bytes(body)


async def read_file(request: web.Request, within: float) -> AsyncGenerator[bytes, None]:
    """The body in pieces; whoever takes them bounds their sum. The time counts from the first to the last."""
    if request.content_type.startswith("multipart/"):
        advice = "send the file itself, as `curl --data-binary @FILE` does, and no form around it"
        raise refused("invalid_input", "The body is a form.", FieldProblem("", advice))
    await _go_on(request)
    try:
        async with asyncio.timeout(within):
            async for chunk in request.content.iter_any():
                yield chunk
    except TimeoutError:
        raise refused("too_slow", f"The file did not arrive within {within:g} s.") from None
    except web.RequestPayloadError:
        raise refused("bad_request", "The body's chunks are broken.") from None


async def _go_on(request: web.Request) -> None:
    """Asks for the body of a caller who waits to be asked."""
    if request.headers.get("Expect", "").lower() == "100-continue":
        await request.writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        request.writer.output_size = 0


def _too_large(limit: int) -> NoReturn:
    raise refused("too_large", f"The body is larger than {limit:,} bytes (`server.body_limit_bytes`): send less.")


def _check_media_type(request: web.Request) -> None:
    if request.headers.get("Content-Encoding", "identity").lower() != "identity":
        raise refused("unsupported_media_type", "The body is compressed: send it as it is.")
    if "Content-Type" not in request.headers or request.content_type.lower() != "application/json":
        raise refused("unsupported_media_type", "The body is not declared as application/json.")
    if (request.charset or "utf-8").lower().replace("_", "-") not in ("utf-8", "utf8"):
        raise refused("unsupported_media_type", "The body is declared in another charset than UTF-8.")


def _is_too_deep(text: str) -> bool:
    """Looked at before parsing: a parser recurses as deep as its caller likes."""
    if text.count("[") + text.count("{") <= DEEPEST:
        return False
    depth = 0
    for mark in _MARKS.finditer(text):
        first = mark[0][0]
        depth += (first in "[{") - (first in "]}")
        if depth > DEEPEST:
            return True
    return False


def _each_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in pairs:
        if name in found:
            raise refused("duplicate_field", "A field was given twice.", FieldProblem(name, "give it once"))
        found[name] = value
    return found


def _no_number(name: str) -> NoReturn:
    raise refused("malformed_json", f"{name} is no JSON number.")


def valid(model: type[M], value: Mapping[str, Any]) -> M:
    """`value` as `model`. Raises `RequestError` with every field that is wrong."""
    try:
        return model.model_validate(value)
    except ValidationError as error:
        raise refused("invalid_input", "The request was not accepted.", *problems(error)) from None
