"""Announcements as people write them: files, stdin, times and options. Every mistake is an `InvalidInput`."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, TextIO

from broker.errors import FieldProblem, InvalidInput

STDIN = "-"


def read_text(name: str, stdin: TextIO) -> dict[str, Any]:
    """Fields of the announcement in this file, or on stdin for `-`."""
    text = _read(name, stdin).removeprefix("\ufeff")
    if name.endswith(".json") or (name == STDIN and text.lstrip().startswith("{")):
        return _json(name, text)
    headline, _, body = text.strip().partition("\n")
    return {"headline": headline.strip(), "body": body.strip()} if body.strip() else {"headline": headline.strip()}


def _read(name: str, stdin: TextIO) -> str:
    try:
        data = stdin.buffer.read() if name == STDIN else Path(name).read_bytes()
        return data.decode()
    except UnicodeDecodeError as error:
        raise InvalidInput(f"{_called(name)} is no UTF-8 text (byte {error.start}): save it as UTF-8.") from None
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or "the name cannot be used"
        raise InvalidInput(f"{_called(name)} cannot be read: {why}.") from None


def _json(name: str, text: str) -> dict[str, Any]:
    try:
        found = json.loads(text, object_pairs_hook=_each_once)
    except (ValueError, RecursionError) as error:
        raise InvalidInput(f"{_called(name)} is no JSON that can be used: {str(error)[:80]}.") from None
    if not isinstance(found, dict):
        raise InvalidInput(f"{_called(name)} must hold one JSON object with headline and body.")
    return found


def _each_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """As the API reads it: of a field given twice nobody can tell which value was meant."""
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a field is given twice")
    return found


def _called(name: str) -> str:
    return "stdin" if name == STDIN else name


def time_of(option: str, text: str | None) -> str | None:
    """ISO 8601 with its offset; a time without one is this machine's."""
    read = _read_time(option, text)
    return read.astimezone().isoformat() if read else None


def agency_time(option: str, text: str | None) -> str | None:
    """ISO 8601; a time without an offset is the agency's, which the broker knows."""
    read = _read_time(option, text)
    return read.isoformat() if read else None


def _read_time(option: str, text: str | None) -> datetime | None:
    if text is None:
        return None
    try:
        read = datetime.fromisoformat(text)
        read.astimezone()
        return read
    except (ValueError, OverflowError):
        problem = FieldProblem(option, f"{text[:40]!r} is no time: write it like 2026-11-22T10:00+07:00")
        raise InvalidInput("The time cannot be read.", problem) from None


def moment_of(option: str, text: str | None, now: datetime) -> str | None:
    """As `time_of`, or a time from now such as `2h`."""
    from broker.contract import duration  # with pydantic: only where it is needed

    span = duration(text) if text else None
    return (now + span).isoformat() if isinstance(span, timedelta) else time_of(option, text)


def overrides(given: Sequence[str] | None) -> dict[str, str] | None:
    """`CHANNEL=TEXT` options as the API's table."""
    if not given:
        return None
    parted = [one.partition("=") for one in given]
    if wrong := next((name for name, equals, _ in parted if not (name and equals)), None):
        raise InvalidInput(f"--override {wrong[:40]!r}: write CHANNEL=TEXT, such as zalo='short text'.")
    return {name: text for name, _, text in parted}
