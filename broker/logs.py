"""Logging: one line per event on stderr, JSON for machines or coloured for people, and never a secret.

`scrub` is the last thing that happens to an event before it is written, also to what other libraries log: texts of
errors and addresses quote tokens, and nobody should have to remember that.
"""

from __future__ import annotations

import logging
import re
import sys
from collections.abc import Mapping, MutableMapping
from contextlib import suppress
from functools import lru_cache
from typing import Any, TextIO

import structlog
from structlog.typing import Processor

HIDDEN = "***"
LONGEST = 10_000

_SECRET_NAMES = re.compile(
    r"(^|[_-])(token|secret|password|passwd|passphrase|authorization|cookie|api_?key|credentials?|signature)s?$",
    re.IGNORECASE,
)
_SECRETS = (
    (re.compile(r"\b(Bearer|Basic|OAuth)\s+[A-Za-z0-9._~+/=-]{6,}", re.IGNORECASE), rf"\1 {HIDDEN}"),
    (
        re.compile(
            r"(?<![A-Za-z0-9_-])([A-Za-z0-9_-]*(?:token|secret|password|passwd|api_?key|signature|appsecret_proof|code_verifier)[\"']?"
            r"\s*[=:]\s*[\"']?)[^\s&\"',;)}\]]+",
            re.IGNORECASE,
        ),
        rf"\1{HIDDEN}",
    ),
    (re.compile(r"(?<!\d)\d{6,12}:[A-Za-z0-9_-]{30,}"), HIDDEN),
    (re.compile(r"\bwhsec_[A-Za-z0-9+/=_-]+"), HIDDEN),
    (re.compile(r"\bloa_[A-Za-z0-9_-]{20,}"), HIDDEN),
    (re.compile(r"(\w://)[^\s/@]+@"), rf"\1{HIDDEN}@"),
    (re.compile(r"(?<![\w.+-])[\w.+-]+@[\w-]+(?:\.[\w-]+)+"), "<e-mail>"),
    (re.compile(r"(?<![\w.:/+-])(?:\+\d{1,3}[ .-]?|0)[1-9](?:[ .-]?\d){7,10}(?![\w:-]|\.\d)"), "<phone>"),
)

_WORD = re.compile(r"(?!whsec_)[A-Za-z_./-]{0,19}")
"""Too short for a key, no digit, nothing before a colon: looked at first, because most of what is logged is such."""

_TRACES = frozenset({"exception", "stack"})
_CONTROLS = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")


def scrub(text: str) -> str:
    """`text` without keys, tokens, e-mail addresses and telephone numbers; very long texts are cut."""
    if _WORD.fullmatch(text):
        return text
    text = text if len(text) <= LONGEST else f"{text[:LONGEST]}…"
    for pattern, shown in _SECRETS:
        text = pattern.sub(shown, text)
    return text


def one_line(text: str) -> str:
    """Line ends and control characters as escapes: nobody forges an entry of the log, or colours a screen."""
    return _CONTROLS.sub(lambda found: found[0].encode("unicode_escape").decode(), text)


def scrubbed(_logger: object, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """structlog processor: every text of the event is scrubbed, and what is named like a secret is hidden whole."""
    for name, value in event.items():
        if name != "timestamp":
            event[name] = _clean(name, value)
    return event


def configure(*, as_json: bool, level: str = "info", stream: TextIO | None = None) -> None:
    """Sends the events of structlog and of the standard library to `stream` (stderr). Call it once, at start.

    Our own go there straight: through the standard library a line costs twice as much.
    """
    common: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.StackInfoRenderer(),
    ]
    last: list[Processor] = [structlog.processors.format_exc_info, scrubbed, _renderer(as_json=as_json)]
    structlog.configure(
        processors=[*common, *last],
        logger_factory=lambda name="": _Lines(stream or sys.stderr, name),
        wrapper_class=structlog.make_filtering_bound_logger(level),
        cache_logger_on_first_use=False,
    )
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[*common, structlog.stdlib.ExtraAdder()],
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *last],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    for chatty in ("aiohttp.access", "httpx", "httpcore", "openapi_pydantic", "telegram"):
        logging.getLogger(chatty).setLevel(max(logging.WARNING, root.level))


class _Lines:
    """What structlog hands its lines to; a log that cannot be written stops nothing."""

    def __init__(self, stream: TextIO, name: str) -> None:
        self._stream, self.name = stream, name

    def msg(self, line: str) -> None:
        with suppress(OSError, ValueError):
            self._stream.write(f"{line}\n")
            self._stream.flush()

    debug = info = warning = error = critical = exception = log = fatal = msg


def _renderer(*, as_json: bool) -> Processor:
    if as_json:
        return structlog.processors.JSONRenderer(ensure_ascii=False)
    return structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)


@lru_cache(maxsize=1024)
def _is_secret(name: str) -> bool:
    return _SECRET_NAMES.search(name) is not None


def _clean(name: str, value: object) -> object:
    if value is not None and _is_secret(name):
        return HIDDEN
    match value:
        case str():
            return scrub(value) if name in _TRACES else one_line(scrub(value))
        case Mapping():
            return {key: _clean(str(key), one) for key, one in value.items()}
        case list() | tuple() | set() | frozenset():
            return [_clean("", one) for one in value]
        case int() | float() | None:
            return value
        case _:
            return one_line(scrub(str(value)))
