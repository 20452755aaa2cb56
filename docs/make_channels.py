"""Writes docs/channels.md from the adapters' profiles and the tables of their pages; `python docs/make_channels.py`.

A page's first TOML block shows a channel with settings that its adapter takes; its rows of two columns say what no
profile tells.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from broker.contract import MediaNeeds, Profile, Unit
from broker.model import MediaKind, StepClass, Verb
from broker.settings import load_adapters
from broker.settings.adapters import profile_of

DOCS = Path(__file__).resolve().parent
PAGE = DOCS / "channels.md"
TOLD = ("media", "limits", "to obtain", "for a small agency", "proved live on")
"""Rows that every adapter's page must have."""
CLASSES = {
    StepClass.INVISIBLE: "invisible",
    StepClass.KEYED: "A, keyed",
    StepClass.HANDLE: "B, by handle",
    StepClass.LIST: "B, by list",
    StepClass.NOTHING: "C, nobody can tell",
}
READ_BACK = {StepClass.HANDLE: "by handle and id", StepClass.LIST: "by id and by list"}
UNITS = {
    Unit.CODE_POINTS: "characters",
    Unit.UTF16: "UTF-16 units",
    Unit.GRAPHEMES: "graphemes",
    Unit.BYTES: "bytes",
    Unit.EMOJI_BYTES: "characters, an emoji as its bytes",
}
TITLE = """# All channels

What each adapter declares and what its page says of it, in one place. `docs/make_channels.py` writes this page, and a
test compares it: change the profile or the adapter's page instead. "…" stands for what your configuration says. The
classes of steps are explained in [states.md](states.md). Nothing was proved on a real platform unless "proved live on"
names the day.
"""


@dataclass(frozen=True, slots=True)
class Shown:
    """One adapter as its page's example configures it."""

    name: str
    profile: Profile
    settings: Mapping[str, Any]
    told: Mapping[str, str]


def channels() -> Iterator[Shown]:
    registry = load_adapters()
    for name in sorted(registry):
        page = DOCS / "adapters" / f"{name}.md"
        if not page.exists():
            continue  # somebody else's
        text = page.read_text(encoding="utf-8")
        channel, raw = next(iter(tomllib.loads(text.partition("```toml\n")[2].partition("```")[0])["channels"].items()))
        settings = registry[name].Settings.model_validate(raw)
        told = dict(reversed(re.findall(r"^\| ([^|]+?) \| (.+) \|$", text, re.MULTILINE)))  # the first one counts
        yield Shown(name, profile_of(registry[name], settings, "agency", channel), raw, told)


def declared(shown: Shown) -> list[str]:
    """The row of what the profile says."""
    profile, can = shown.profile, shown.profile.abilities
    text = f"{profile.text.limit:,} {UNITS[profile.text.unit]}" if profile.text else shown.told.get("text", "no limit")
    return [
        f"[{shown.name}](adapters/{shown.name}.md)",
        _general(profile.operator, shown.settings),
        _general("–" if profile.own else profile.country, shown.settings),
        _general(profile.login or "–", shown.settings),
        " · ".join(f"{step.name}: {CLASSES[step.after_uncertain]}" for step in profile.steps),
        text,
        _media(profile.media),
        READ_BACK.get(profile.steps[-1].after_uncertain, "by id") if Verb.FIND in can else "no",
        *("yes" if verb in can else "no" for verb in (Verb.EDIT, Verb.DELETE, Verb.REHEARSE)),
        _time(profile.usual.total_seconds()),
        " · ".join(filter(None, ("push" if profile.push else "", profile.cost))) or "–",
    ]


def _media(needs: MediaNeeds) -> str:
    """What it takes beside text, what it must have, and whether it fetches that from us."""
    takes = [_many(needs.images, "picture"), _many(needs.videos, "video")]
    taken = (" and " if needs.mixed else " or ").join(filter(None, takes))
    card = f"must have one: else a card{' as video' if needs.card is MediaKind.VIDEO else ''}" if needs.card else ""
    return "; ".join(filter(None, (taken, card, "fetched from our address" if needs.by_url else ""))) or "–"


def _many(number: int, what: str) -> str:
    return f"{number} {what}{'s' if number > 1 else ''}" if number else ""


def _general(text: str, settings: Mapping[str, Any]) -> str:
    """`text` with "…" for what comes from the example's own values, "as configured" where nothing else is left."""
    said = [value for name, value in settings.items() if isinstance(value, str) and name not in ("adapter", "token_of")]
    if any(text in value or text == value for value in said) or not text:
        return "as configured"
    for value in said:
        text = text.replace(value, "…")
    return re.sub(r"\d{4,}", "…", text)


def _time(seconds: float) -> str:
    return f"{seconds / 60:.0f} min" if seconds >= 60 else f"{seconds:.0f} s"


def _table(head: list[str], rows: list[list[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |".replace("| --- ", "|---").replace(" --- |", "---|") for line in lines)


def page() -> str:
    """The whole page. KeyError names a row that an adapter's page lacks."""
    shown = list(channels())
    head = ["channel", "operator", "country", "login", "steps", "text", "shows", "read back", "edit", "delete"]
    head += ["rehearsal", "usual time to live", "loud or costly"]
    profiles = _table(head, [declared(one) for one in shown])
    told = _table(["channel", *TOLD], [[one.name, *(one.told[row] for row in TOLD)] for one in shown])
    return f"{TITLE}\n{profiles}\n\n## What each takes\n\n{told}\n"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
