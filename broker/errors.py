"""Errors for Loa's callers, one tree; each carries data and renders as `application/problem+json`.

LoaError
├── ConfigError             the configuration cannot work        (at start; exit code 2)
├── StoreError              the store cannot be used
│   ├── StoreInUse          another process owns the SQLite file
│   └── StoreFull           the disk is full                     507
└── RequestError            the caller's request                 4xx
    ├── InvalidInput        a field is wrong                     422 (400 for unreadable bodies, 413, 415)
    ├── Unauthorised        no key, or an unknown one            401
    ├── Forbidden           the key lacks the scope              403
    ├── NotFound            no such object of this agency        404
    ├── Conflict            same key, other content              409 / 422
    └── Overloaded          the accept lane is full              503
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


class LoaError(Exception):
    """Something went wrong that the caller should hear of."""

    code = "internal"
    status = 500


class ConfigError(LoaError):
    """The configuration cannot work: see `problems`, each with key, source and what to do."""

    code = "bad_configuration"

    def __init__(self, problems: Sequence[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = tuple(problems)


class StoreError(LoaError):
    """The store cannot be used."""

    code = "store_unavailable"
    status = 503


class StoreInUse(StoreError):
    """Another process owns this store."""

    code = "store_in_use"


class StoreFull(StoreError):
    """The disk is full: free some space; nothing was accepted and nothing accepted was lost."""

    code = "store_full"
    status = 507


@dataclass(frozen=True, slots=True)
class FieldProblem:
    """What is wrong with one field; `path` is dotted (`overrides.facebook`), "" for the whole body."""

    path: str
    problem: str


class RequestError(LoaError):
    """The caller's request cannot be carried out."""

    code = "bad_request"
    status = 400

    def __init__(self, detail: str, *fields: FieldProblem, code: str | None = None, status: int | None = None) -> None:
        super().__init__(detail)
        self.detail = detail
        self.fields = fields
        self.code = code or type(self).code
        self.status = status or type(self).status


class InvalidInput(RequestError):
    """A field of the request is wrong."""

    code = "invalid_input"
    status = 422


class Unauthorised(RequestError):
    """No API key, or one nobody knows."""

    code = "unauthorised"
    status = 401


class Forbidden(RequestError):
    """The API key lacks the scope this call needs."""

    code = "forbidden"
    status = 403


class NotFound(RequestError):
    """No such object of this agency."""

    code = "not_found"
    status = 404


class Conflict(RequestError):
    """The request contradicts what is stored."""

    code = "conflict"
    status = 409


class Overloaded(RequestError):
    """Too much is waiting for the disk: try again after `Retry-After`."""

    code = "overloaded"
    status = 503
