"""The record of one announcement as one page: it needs no other file, runs nothing, and prints well."""

from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass
from datetime import UTC, datetime

from broker.pages.html import static, templates
from broker.record import Moment, RecordReport


@dataclass(frozen=True, slots=True)
class RecordPage:
    html: str
    policy: str
    """The content security policy to give it out with; the page names it too, for when it is a file."""


def record_page(report: RecordReport, language: str) -> RecordPage:
    """`language`: `en` or `vi`."""
    style = static("record.css")
    policy = f"default-src 'none'; style-src 'sha256-{_digest(style)}'"
    html = (
        templates()
        .get_template("record.html")
        .render(
            report=report,
            record=report.record,
            made_at=report.made_at.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S UTC"),
            language=language,
            clock=_clock,
            policy=policy,
            style=style,
        )
    )
    return RecordPage(html, policy)


def _digest(style: str) -> str:
    return base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()


def _clock(moment: Moment | None) -> str:
    """A moment in the agency's zone, to the second, with the zone's distance from UTC."""
    return f"{datetime.fromisoformat(moment.local):%Y-%m-%d %H:%M:%S %z}" if moment else ""
