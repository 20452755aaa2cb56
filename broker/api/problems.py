"""Every error the HTTP API can answer, in one catalogue, and how it is said: `application/problem+json` (RFC 9457).

`page` is docs/errors.md; the API serves the same text at the address that each problem's `type` names.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from aiohttp import web
from pydantic import BaseModel

from broker.errors import FieldProblem, InvalidInput, LoaError, RequestError

MEDIA_TYPE = "application/problem+json"
PAGE = "/docs/errors.md"
FIELDS_AT_MOST = 50
PATH_AT_MOST = 200


@dataclass(frozen=True, slots=True)
class Known:
    """One error: a stable code, its HTTP status, a title that says what to do, and when it is answered."""

    code: str
    status: int
    title: str
    when: str
    retry_after: int | None = None
    """Seconds, where trying again helps and the error itself does not know better."""


class ProblemField(BaseModel):
    """What is wrong with one field; `path` is dotted, "" for the whole body."""

    path: str
    problem: str


class Problem(BaseModel):
    """An error as the API answers it."""

    type: str
    title: str
    status: int
    code: str
    detail: str
    errors: list[ProblemField] = []
    request_id: str


def _catalogue(*known: Known) -> Mapping[str, Known]:
    return MappingProxyType({one.code: one for one in known})


CATALOGUE = _catalogue(
    Known(
        "malformed_json",
        400,
        "Send one JSON object.",
        "The body is missing or is no JSON (RFC 8259): a comma too many, a number such as NaN, an end too early.",
    ),
    Known(
        "wrong_encoding",
        400,
        "Encode the body as UTF-8.",
        "The body holds bytes that are no UTF-8, for example Windows-1258 or UTF-16.",
    ),
    Known(
        "duplicate_field",
        400,
        "Give each field once.",
        "A JSON object in the body has the same name twice: nobody can tell which value was meant.",
    ),
    Known("too_deep", 400, "Nest the body less deeply.", "The body is nested more deeply than any announcement is."),
    Known(
        "bad_request",
        400,
        "Correct the request.",
        "The request is no proper HTTP, or one of its headers has a value that cannot be used.",
    ),
    Known(
        "unauthorised",
        401,
        "Send your API key as `Authorization: Bearer <key>`.",
        "The key is missing, unknown, sent twice, or sent otherwise (never put it into the address).",
    ),
    Known(
        "forbidden",
        403,
        "Use a key with the scope that `detail` names.",
        "The key is known but lacks the scope of this call: `read`, `send` or `operate`.",
    ),
    Known(
        "not_found",
        404,
        "Check the id or name.",
        "Your agency has no such announcement, delivery or channel.",
    ),
    Known("no_such_path", 404, "Check the address.", "The API has no such path: /openapi.json lists them all."),
    Known("method_not_allowed", 405, "Use a method that `Allow` names.", "The path exists, but not with this method."),
    Known("too_slow", 408, "Send the whole body at once.", "The body did not arrive in time.", retry_after=1),
    Known(
        "conflict",
        409,
        "Look at what is stored, then decide.",
        "The request contradicts what is stored, such as resolving a delivery that is live already.",
    ),
    Known(
        "external_id_exists",
        409,
        "Use another external_id, or name the old announcement in `replaces`.",
        "An announcement of your agency with other content has this external_id already.",
    ),
    Known(
        "not_offered",
        409,
        "Do this in the platform's own tools.",
        "The channel's platform has no such ability; docs/adapters/ lists what each one offers.",
    ),
    Known(
        "not_connected",
        409,
        "Do what `detail` says, and start again.",
        "The account could not be connected: the answer was none, is too old, or the platform did not accept it.",
    ),
    Known("too_large", 413, "Send less.", "The body is larger than `server.body_limit_bytes` in the configuration."),
    Known(
        "unsupported_media_type",
        415,
        "Send JSON, uncompressed, with `Content-Type: application/json`.",
        "The body is declared as something else, as compressed, or in another charset than UTF-8.",
    ),
    Known(
        "invalid_input",
        422,
        "Correct the fields that `errors` names.",
        "The request can be read, but a field is missing, unknown, or has a value that cannot be used.",
    ),
    Known(
        "unknown_route",
        422,
        "Name a route of the configuration, or leave `route` out.",
        "The announcement names a route that your agency does not have.",
    ),
    Known(
        "idempotency_key_reused",
        422,
        "Use a new Idempotency-Key for a new announcement.",
        "The key came with another body in the last 24 hours; what came first stands.",
    ),
    Known(
        "locked_out",
        429,
        "Correct the key, then wait for `Retry-After`.",
        "Too many wrong keys came from this address within a minute.",
    ),
    Known(
        "internal",
        500,
        "Try again; if it stays, report `request_id`.",
        "An error in Loa itself. The log has an entry with the same request_id.",
    ),
    Known(
        "overloaded",
        503,
        "Send it again after `Retry-After`, with the same Idempotency-Key.",
        "More announcements wait for the disk than can be taken in. Nothing of this one was stored.",
        retry_after=1,
    ),
    Known(
        "not_ready",
        503,
        "Try again after `Retry-After`.",
        "The broker is starting or stopping, has lost its store or lease, or its disk does not answer.",
        retry_after=5,
    ),
    Known(
        "store_unavailable",
        503,
        "Look at the log and at the store.",
        "The store failed: nothing more is acknowledged. Whether this announcement was stored is not known: after a "
        "restart send it again with the same Idempotency-Key.",
        retry_after=10,
    ),
    Known(
        "store_full",
        507,
        "Free some disk space.",
        "The disk is full. Nothing of this announcement was stored, and nothing accepted was lost.",
        retry_after=30,
    ),
)

_BY_STATUS = {404: "no_such_path", 405: "method_not_allowed", 413: "too_large"}


class LockedOut(RequestError):
    """Too many wrong keys from one address; `retry_after` in seconds."""

    code = "locked_out"
    status = 429

    def __init__(self, retry_after: int) -> None:
        super().__init__(f"Too many wrong keys came from your address: try again in {retry_after} s.")
        self.retry_after = retry_after


class NotReady(RequestError):
    """Nothing can be taken in now."""

    code = "not_ready"
    status = 503


def refused(code: str, detail: str, *fields: FieldProblem) -> RequestError:
    """The error with this code of the catalogue."""
    return InvalidInput(detail, *fields, code=code, status=CATALOGUE[code].status)


def problem_of(error: Exception, request_id: str) -> web.Response:
    """The answer that tells of `error`; of errors that are not for callers only that there was one."""
    match error:
        case RequestError(detail=detail, fields=fields, code=code):
            return _response(code, detail, fields, _headers(error), request_id)
        case LoaError(code=code) if code in CATALOGUE:
            return _response(code, CATALOGUE[code].when, (), {}, request_id)
        case web.HTTPException(status=status) if status < 500:
            code = _BY_STATUS.get(status, "bad_request")
            allow = {"Allow": error.headers["Allow"]} if "Allow" in error.headers else {}
            return _response(code, CATALOGUE[code].when, (), allow, request_id)
        case _:
            return _response("internal", CATALOGUE["internal"].when, (), {}, request_id)


def _headers(error: RequestError) -> dict[str, str]:
    match error:
        case LockedOut(retry_after=seconds):
            return {"Retry-After": str(seconds)}
        case RequestError(status=401):
            return {"WWW-Authenticate": "Bearer"}
        case _:
            return {}


def _response(
    code: str, detail: str, fields: Iterable[FieldProblem], headers: Mapping[str, str], request_id: str
) -> web.Response:
    known = CATALOGUE.get(code) or CATALOGUE["bad_request"]
    errors = [ProblemField(path=f.path[:PATH_AT_MOST], problem=f.problem) for f in fields][:FIELDS_AT_MOST]
    problem = Problem(
        type=f"{PAGE}#{known.code}",
        title=known.title,
        status=known.status,
        code=known.code,
        detail=detail,
        errors=errors,
        request_id=request_id,
    )
    retry = {"Retry-After": str(known.retry_after)} if known.retry_after else {}
    return web.Response(
        body=encoded(problem.model_dump()),
        status=known.status,
        content_type=MEDIA_TYPE,
        headers={**retry, **headers},
    )


def encoded(value: Any) -> bytes:
    """JSON in UTF-8. Half characters a caller sent come back as the escapes they were."""
    return json.dumps(value, ensure_ascii=False).encode("utf-8", "backslashreplace")


def page() -> str:
    """docs/errors.md."""
    parts = [_HEAD]
    for known in CATALOGUE.values():
        retry = f" `Retry-After`: {known.retry_after} s." if known.retry_after else ""
        parts.append(f"## {known.code}\n\nHTTP {known.status}. {known.title}\n\n{known.when}{retry}\n")
    return "\n".join(parts)


_HEAD = """# Errors of the HTTP API

Every error is `application/problem+json` (RFC 9457). Programs decide by `code`, which never changes its meaning;
people read `title` (what to do) and `detail` (what happened). `errors` lists fields with their dotted path, `type`
leads to the section on this page, and `request_id` finds the entry in the log. No error repeats what a field held.

```json
{"type": "/docs/errors.md#invalid_input", "title": "Correct the fields that `errors` names.", "status": 422,
 "code": "invalid_input", "detail": "The announcement was not accepted.",
 "errors": [{"path": "headline", "problem": "is empty: write something"}], "request_id": "lfgchemficpdkaeh"}
```

This page is made from the catalogue in `broker/api/problems.py`, and every broker serves it at this address.
"""
