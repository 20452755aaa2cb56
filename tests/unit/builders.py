"""Builders for the tests of the rules: one newsroom with its channels, and cases as the broker would accept them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from broker.contract import Path, Profile, Readers, Step
from broker.model import (
    Announcement,
    Case,
    Composed,
    Delivery,
    Draft,
    Goal,
    OnUnconfirmed,
    Reason,
    Role,
    RoutePlan,
    State,
    StepClass,
    Verb,
)
from broker.outcome import Cause
from broker.rules.delivery import Policy
from broker.rules.domains import Scope
from broker.rules.health import Down, View
from broker.rules.standing import Channel, Channels
from broker.values import replace

AGENCY = "tvd"
T0 = datetime(2026, 11, 22, 15, 58, tzinfo=UTC)
ALL_VERBS = frozenset({Verb.PROBE, Verb.CONFIRM, Verb.FIND, Verb.DELETE})
UP = View()


def s(seconds: float) -> timedelta:
    return timedelta(seconds=seconds)


def at(seconds: float) -> datetime:
    """So many seconds after the announcement was accepted."""
    return T0 + s(seconds)


def profile(
    step: StepClass = StepClass.LIST, *, operator: str = "meta", country: str = "US", **changes: Any
) -> Profile:
    """A platform of one step, which offers everything unless `changes` says otherwise."""
    fields = {"adapter": operator, "steps": (Step("post", step),), "abilities": ALL_VERBS} | changes
    return Profile(operator=operator, country=country, **fields)


def policy(
    step: StepClass = StepClass.LIST,
    *,
    on_unconfirmed: OnUnconfirmed = OnUnconfirmed.STAND_IN,
    useful_until: datetime = T0 + timedelta(hours=3),
    **changes: Any,
) -> Policy:
    return Policy(profile(step, **changes), on_unconfirmed, useful_until)


def delivery(
    state: State = State.DUE, channel: str = "facebook", role: Role = Role.POST_TO, **changes: Any
) -> Delivery:
    """One delivery; what left or may have left did so at second 1."""
    left = state in (State.SENDING, State.PENDING, State.CHECKING, State.LIVE, State.UNCONFIRMED, State.REMOVED)
    fields: dict[str, Any] = {"announcement_id": "0195", "started_at": None if state is State.STANDBY else T0}
    fields |= {"sent_at": at(1), "attempt": 1} if left else {}
    fields |= {"first_sent_at": at(1)} if state in (State.CHECKING, State.UNCONFIRMED) else {}
    fields |= {"platform_id": "p1", "live_at": at(2)} if state in (State.LIVE, State.REMOVED) else {}
    fields |= {"next_at": at(60)} if state is State.SENDING else {}
    composed = Composed(text="Cầu Long Biên tạm đóng\nTVD-7QK2F9")
    return Delivery(channel=channel, role=role, state=state, composed=composed, **(fields | changes))


def channel(name: str, operator: str, country: str = "US", **changes: Any) -> Channel:
    known = profile(operator=operator, country=country, **changes)
    return Channel(key=f"{AGENCY}/{name}", profile=known, domestic=country == "VN")


NEWSROOM: Channels = {
    "site": channel("site", "us", "VN", own=True, path=Path.OWN),
    "facebook": channel("facebook", "meta"),
    "instagram": channel("instagram", "meta"),
    "threads": channel("threads", "meta"),
    "zalo": channel("zalo", "vng", "VN"),
    "zalo_push": channel("zalo_push", "vng", "VN", push=True),
    "youtube": channel("youtube", "google"),
    "tiktok": channel("tiktok", "bytedance"),
    "telegram": channel("telegram", "telegram", step=StepClass.NOTHING, readers=Readers.ABROAD),
    "sms": channel("sms", "viettel", "VN", step=StepClass.NOTHING, push=True, cost="20 đ each"),
    "email": channel("email", "smtp", "VN", step=StepClass.NOTHING, push=True),
}


def tuned(channels: Channels = NEWSROOM, /, **changes: Mapping[str, Any]) -> Channels:
    """The channels with other profiles: `tuned(zalo={"usual": s(600)})`."""
    return {
        name: replace(known, profile=replace(known.profile, **changes[name])) if name in changes else known
        for name, known in channels.items()
    }


def route(**changes: Any) -> RoutePlan:
    """The breaking-news route of the design: stand-ins for Facebook and YouTube, a louder reserve."""
    fields: dict[str, Any] = {
        "name": "breaking",
        "post_to": ("site", "facebook", "instagram", "zalo", "youtube"),
        "stand_ins": {"facebook": ("threads", "zalo_push"), "youtube": ("tiktok",)},
        "reserve": ("email", "sms"),
        "goal": Goal(operators=2, domestic=1, within=s(60)),
    }
    return RoutePlan(**(fields | changes))


def accepted(plan: RoutePlan | None = None, *, accepted_at: datetime = T0, **draft: Any) -> Case:
    """A case as the broker accepts it: `post_to` due, everything else standing by."""
    plan = plan or route()
    said = Draft(headline="Cầu Long Biên tạm đóng", body="Từ 22 giờ.", **draft)
    of_it = Announcement(
        id="0195",
        agency=AGENCY,
        reference="TVD-7QK2F9",
        draft=said,
        plan=plan,
        accepted_at=accepted_at,
    )
    return Case(of_it, {d.channel: d for d in _deliveries(of_it)})


def _deliveries(announcement: Announcement) -> Iterable[Delivery]:
    plan = announcement.plan
    stand_ins = [name for names in plan.stand_ins.values() for name in names]
    for position, name in enumerate(dict.fromkeys((*plan.post_to, *stand_ins, *plan.reserve))):
        serves = tuple(served for served, names in plan.stand_ins.items() if name in names)
        first = name in plan.post_to
        role = Role.POST_TO if first else Role.STAND_IN if serves else Role.RESERVE
        yield delivery(
            State.DUE if first else State.STANDBY,
            name,
            role,
            announcement_id=announcement.id,
            position=position,
            serves=serves,
            started_at=announcement.base_at if first else None,
            reason=Reason("start_post") if first else None,
        )


def having(case: Case, /, **changes: State | Delivery | Mapping[str, Any]) -> Case:
    """The case with some deliveries otherwise: `having(case, zalo=State.LIVE, facebook={"tries": 2})`."""
    deliveries = {name: _changed(case.deliveries[name], change) for name, change in changes.items()}
    return Case(case.announcement, {**case.deliveries, **deliveries})


def _changed(old: Delivery, change: State | Delivery | Mapping[str, Any]) -> Delivery:
    match change:
        case Delivery():
            return change
        case State():
            same = {"position": old.position, "serves": old.serves, "announcement_id": old.announcement_id}
            started = {"started_at": old.started_at} if old.started_at else {}
            return delivery(change, old.channel, old.role, **same, **started)
        case _:
            return replace(old, **change)


def down(*names: str, scope: Scope = Scope.CHANNEL, what: str = "", **changes: Any) -> View:
    """A view of health in which these channels are down since T0, together if `scope` says so."""
    keys = tuple(f"{AGENCY}/{name}" for name in names)
    fields: dict[str, Any] = {"cause": Cause.OUTAGE, "detail": "connection refused"} | changes
    return View({key: Down(scope, what or key, T0, channels=keys, **fields) for key in keys})


META_DOWN = down("facebook", "instagram", "threads", scope=Scope.OPERATOR, what="meta")


def states(case: Case) -> dict[str, State]:
    return {name: d.state for name, d in case.deliveries.items()}


def started(before: Case, after: Case) -> set[str]:
    """Channels that were started between two states of a case."""
    return {
        name
        for name, d in after.deliveries.items()
        if d.state is State.DUE and before.deliveries[name].state is not State.DUE
    }
