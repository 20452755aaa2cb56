"""Plain sentences in English and Vietnamese, made from reasons and the catalogue. Pure.

Times are shown as HH:MM in the agency's zone, with the day where something is scheduled; channels and operators by the
names people know.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta, tzinfo
from functools import lru_cache
from string import Formatter
from types import NoneType

from broker.model import Reason, Status
from broker.rules.catalogue import NAMES, SENTENCES
from broker.values import replace

LANGUAGES = ("en", "vi")
Sentence = dict[str, str]
"""The same sentence by language: `{"en": …, "vi": …}`."""

_NAMED = frozenset({"channel", "channels", "for_channel", "operator", "operators", "passed_over", "what"})
_AND = (" and ", " và ")
_TIME = re.compile(
    r"\d{4}-(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])T([01]\d|2[0-3]):[0-5]\d(:[0-5]\d(\.\d+)?)?(Z|[+-]\d\d:\d\d)"
)
_CHOICE = re.compile(r"\[([^\]]*)\]")
_PLAIN = (str, int, float, tuple, NoneType)
"""Arguments that a sentence is remembered by."""
_DOMAIN = re.compile(r"(?:operator|login|host|path|media):|.*/")


def sentence(reason: Reason, zone: tzinfo, **context: object) -> Sentence:
    """The reason in both languages; `context` (operator, channel) fills what the reason leaves open.

    Never raises: an unknown key, or one without its arguments, is shown as the key itself.
    """
    if reason.key in _WHOLE:
        return dict(_WHOLE[reason.key])
    args = {name: _to_the_minute(value, zone) for name, value in (*context.items(), *reason.args.items())}
    if all(isinstance(value, _PLAIN) for value in args.values()):
        return dict(_remembered(reason.key, tuple(args.items()), zone))
    return _sentence(Reason(reason.key, args), zone)


@lru_cache(maxsize=256)
def _remembered(key: str, args: tuple[tuple[str, object], ...], zone: tzinfo) -> Sentence:
    """Announcements of one outage mostly have the same to say."""
    return _sentence(Reason(key, dict(args)), zone)


def _sentence(reason: Reason, zone: tzinfo) -> Sentence:
    said = {language: _said(reason, language, zone, {}) for language in LANGUAGES}
    return {language: _capital(text) if text else reason.key for language, text in said.items()}


def _to_the_minute(value: object, zone: tzinfo) -> object:
    """An argument as sentences are remembered by it: a time as it is shown, names as a tuple."""
    match value:
        case datetime():
            return _clock(value, zone)
        case str() if _TIME.fullmatch(value):
            return _clock(datetime.fromisoformat(value), zone)
        case list() | tuple():
            return tuple(value) if all(isinstance(item, str) for item in value) else list(value)
        case _:
            return value


@dataclass(frozen=True, slots=True, kw_only=True)
class Outlook:
    """What an announcement has come to, as far as its summary tells; channels by name, in order of the route."""

    status: Status
    live: tuple[str, ...] = ()
    on_its_way: tuple[str, ...] = ()
    down: tuple[tuple[str, datetime | None], ...] = ()
    """What is down (operator or channel), and since when."""
    owed: tuple[tuple[str, datetime], ...] = ()
    """Channels that get a late copy, and until when."""
    unconfirmed: tuple[str, ...] = ()
    failed: tuple[tuple[str, Reason], ...] = ()
    at: datetime | None = None
    """When a scheduled announcement goes out."""
    because: str | None = None
    """Why it was withdrawn."""
    operators: Mapping[str, str] = field(default_factory=dict, compare=False)
    """Operator by channel, to name who refused."""


def summary(outlook: Outlook, zone: tzinfo) -> Sentence:
    """The announcement in one or a few sentences, the most important first."""
    owed = tuple((channel, until.replace(second=0, microsecond=0)) for channel, until in outlook.owed)
    outlook = replace(outlook, owed=owed)
    return _summary(outlook, zone) if outlook.failed else dict(_remembered_summary(outlook, zone))


@lru_cache(maxsize=256)
def _remembered_summary(outlook: Outlook, zone: tzinfo) -> Sentence:
    """Announcements of one hour mostly have the same to say."""
    return _summary(outlook, zone)


def _summary(outlook: Outlook, zone: tzinfo) -> Sentence:
    return {language: " ".join(_told(outlook, language, zone)) for language in LANGUAGES}


def _told(outlook: Outlook, language: str, zone: tzinfo) -> Iterable[str]:
    for reasons in _summary_parts(outlook):
        if said := "; ".join(_said(reason, language, zone, context) or reason.key for reason, context in reasons):
            yield f"{_capital(said)}."


def _summary_parts(outlook: Outlook) -> Iterable[list[tuple[Reason, Mapping[str, object]]]]:
    """Reasons that make up one sentence each, with their context."""
    status = outlook.status
    if not outlook.live or status in (Status.WITHDRAWN, Status.SCHEDULED, Status.AWAITING_APPROVAL):
        said = {"at": outlook.at, "day": outlook.at, "because": outlook.because}
        yield [(Reason(f"status_{status}", said), {})]
    if outlook.live:
        yield [(Reason("still_on" if status is Status.WITHDRAWN else "out_on", {"channels": outlook.live}), {})]
    if outlook.on_its_way and status is not Status.SCHEDULED:
        yield [(Reason("on_its_way", {"channels": outlook.on_its_way}), {})]
    down = [Reason("down", {"what": what, "since": since}) for what, since in outlook.down]
    yield [(reason, {}) for reason in [*down, *_owed(outlook.owed)]]
    if outlook.unconfirmed:
        yield [(Reason("unconfirmed_on", {"channels": outlook.unconfirmed}), {})]
    for channel, why in outlook.failed:
        yield [(Reason("not_on", {"channel": channel, "why": why}), {"operator": outlook.operators.get(channel)})]


def _owed(owed: tuple[tuple[str, datetime], ...]) -> Iterable[Reason]:
    """Channels with the same end in one sentence."""
    by_end: dict[datetime, list[str]] = {}
    for channel, until in owed:
        by_end.setdefault(until, []).append(channel)
    for until, channels in by_end.items():
        yield Reason("owed_one" if len(channels) == 1 else "owed_many", {"channels": channels, "until": until})


def _said(reason: Reason, language: str, zone: tzinfo, context: Mapping[str, object]) -> str | None:
    """The sentence without capital and full stop; None if the catalogue lacks it, or it its arguments."""
    if reason.key not in SENTENCES:
        return None
    template = SENTENCES[reason.key][LANGUAGES.index(language)]
    if "{" not in template:
        return template
    args = _telling({**context, **reason.args})
    if "[" in template:
        template = _CHOICE.sub(lambda choice: _chosen(choice[1], args), template)
    named = {name: value for name, value in args.items() if value is not None and f"{{{name}" in template}
    shown = {name: _shown(name, value, args, language, zone) for name, value in named.items()}
    try:
        return template.format_map(shown)
    except KeyError:
        return None


def _telling(args: Mapping[str, object]) -> dict[str, object]:
    """Without what would only repeat the name of the thing that is down."""
    what = args.get("what")
    repeats = (what, [what], (what,))
    return {
        name: value for name, value in args.items() if name not in ("for_channel", "channels") or value not in repeats
    }


def _chosen(choice: str, args: Mapping[str, object]) -> str:
    return next((one for one in choice.split("|") if all(args.get(name) for name in placeholders(one))), "")


@lru_cache(maxsize=1024)
def placeholders(template: str) -> frozenset[str]:
    """Names of the arguments a template shows."""
    return frozenset(name for _, name, _, _ in Formatter().parse(template) if name)


def _shown(name: str, value: object, args: Mapping[str, object], language: str, zone: tzinfo) -> str:
    match value:
        case datetime() if name == "day":
            return f"{value.astimezone(zone):%d.%m.%Y}"
        case datetime():
            return _clock(value, zone)
        case timedelta():
            return f"{round(value.total_seconds(), 1):g}"
        case float():
            return f"{round(value, 1):g}"
        case Reason():
            others = {other: arg for other, arg in args.items() if other != name}
            return _said(value, language, zone, others) or value.key
        case str() if _TIME.fullmatch(value):
            return _clock(datetime.fromisoformat(value), zone)
        case str() if name in _NAMED:
            return _name(value, language)
        case str() if name == "why" and value in SENTENCES:
            why_args = args.get("why_args")
            return _said(Reason(value), language, zone, why_args if isinstance(why_args, Mapping) else {}) or value
        case list() | tuple():
            *first, last = [_shown(name, item, args, language, zone) for item in value] or [""]
            return _AND[LANGUAGES.index(language)].join(filter(None, [", ".join(first), last]))
        case _:
            return str(value)


def _clock(at: datetime, zone: tzinfo) -> str:
    local = at.astimezone(zone)
    return f"{local.hour:02}:{local.minute:02}"


def spoken(language: str) -> str:
    """The language of ours that whoever speaks `language` reads."""
    return "vi" if language.partition("-")[0] == "vi" else "en"


def called(text: str, language: str) -> str:
    """A channel or operator by the name people know, to stand alone."""
    return _capital(_name(text, language))


@lru_cache(maxsize=1024)
def _name(text: str, language: str) -> str:
    """A channel, operator or failure domain by the name people know."""
    bare = _DOMAIN.sub("", text, count=1)
    known = NAMES.get(bare, bare)
    return known if isinstance(known, str) else known[LANGUAGES.index(language)]


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


_WHOLE: Mapping[str, Sentence] = {
    key: dict(zip(LANGUAGES, map(_capital, templates), strict=True))
    for key, templates in SENTENCES.items()
    if not any("{" in template for template in templates)
}
"""Sentences without arguments."""
