"""What the command line's exit codes mean, and which error ends with which."""

from __future__ import annotations

from enum import IntEnum

from broker.errors import ConfigError, LoaError, RequestError, StoreError


class Exit(IntEnum):
    OK = 0
    NOT_REACHED = 1
    """The goal was not reached, or a check or verdict says no."""
    BAD_INPUT = 2
    """Input, usage, configuration or API key cannot be used as they are."""
    UNREACHABLE = 3
    """No server answers, or it cannot take anything in at the moment: try again."""
    REFUSED = 4
    """There is no such thing, or its state forbids it."""


MEANINGS = {
    Exit.OK: "done",
    Exit.NOT_REACHED: "the goal was not reached, or a check or verdict says no",
    Exit.BAD_INPUT: "input, usage, configuration or API key cannot be used as they are",
    Exit.UNREACHABLE: "no server answers, or it can take nothing in now: try again",
    Exit.REFUSED: "there is no such thing, or its state forbids it",
}


class Unreachable(LoaError):
    """No server answers."""

    code = "unreachable"


class Unwatched(LoaError):
    """Accepted, but what becomes of it could not be watched."""

    code = "unwatched"


def exit_of(error: LoaError) -> Exit:
    """The code a command ends with when `error` is all it has to tell."""
    match error:
        case Unreachable():
            return Exit.UNREACHABLE
        case RequestError(status=status) if status in (404, 409):
            return Exit.REFUSED
        case RequestError(status=status) if status == 429 or status >= 500:
            return Exit.UNREACHABLE
        case ConfigError() | StoreError() | RequestError():
            return Exit.BAD_INPUT
        case _:
            return Exit.NOT_REACHED


def told(error: LoaError) -> str:
    """The error in one line for people: what is wrong, field by field, and what to do."""
    match error:
        case ConfigError(problems=problems):
            return "the configuration cannot be used:\n" + "\n".join(f"  {one}" for one in problems)
        case RequestError(detail=detail, fields=fields) if fields:
            wrong = [f"{one.path} {one.problem}".strip() for one in fields if one.problem not in detail]
            return " ".join([detail, "; ".join(wrong)]).strip()
        case _:
            return str(error) or (error.__doc__ or type(error).__name__).splitlines()[0]


def as_problem(error: LoaError) -> dict[str, object]:
    """The error for programs."""
    fields = [{"path": one.path, "problem": one.problem} for one in getattr(error, "fields", ())]
    problems = list(getattr(error, "problems", ()))
    return {"error": {"code": error.code, "detail": told(error), "fields": fields, "problems": problems}}
