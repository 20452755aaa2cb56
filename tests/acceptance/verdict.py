"""The oracle: what the platforms really took, against what the client was answered. The store is never asked.

Channels by class of the step that makes a post public (docs/promises.md):
keyed and by handle: exactly one copy. By list: one, or a second that is reported. Nothing to ask: never more than one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from adapters.emulators.log import PlatformLog, Post

if TYPE_CHECKING:
    from tests.acceptance.rig import Submission

LISTED = frozenset({"facebook", "zalo", "pictures"})
BLIND = frozenset({"telegram", "people", "zalo_push"})
ARRIVES_WITHIN_S = 2.0
"""A request that had left before the answer to a withdrawal may be read so much later, where emulators wait for the
processor too. The simulation judges by when it left."""


@dataclass(slots=True)
class Verdict:
    """Counts over all announcements and channels; `faults` says in words what must not be."""

    announcements: int = 0
    deliveries: int = 0
    lost: list[str] = field(default_factory=list)
    """Accepted, and neither visible nor told that it is not."""
    duplicates: list[str] = field(default_factory=list)
    """A second copy that nobody was told of, or that could have been avoided."""
    untrue: list[str] = field(default_factory=list)
    """The status says something else than the platform's log."""
    after_withdrawal: list[str] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)
    reported: int = 0
    """Second copies on channels by list that were reported."""
    unconfirmed: int = 0
    """On channels that cannot be asked: one for each attempt that a crash or a lost answer hit."""
    given_up: list[str] = field(default_factory=list)
    """Late copies nobody wants any more, and the status says so: a slow platform was taken for one that is down."""
    left_open: list[str] = field(default_factory=list)
    """On channels by list: repeats used up, a person is asked."""

    @property
    def faults(self) -> list[str]:
        return [*self.lost, *self.duplicates, *self.untrue, *self.after_withdrawal, *self.refused]

    def figures(self) -> dict[str, int]:
        lists = ("lost", "duplicates", "untrue", "after_withdrawal", "refused", "given_up", "left_open")
        counts = {name: len(getattr(self, name)) for name in lists}
        plain = ("announcements", "deliveries", "reported", "unconfirmed")
        return {name: getattr(self, name) for name in plain} | counts


def judge(
    submissions: Sequence[Submission],
    reports: Sequence[Mapping[str, Any]],
    events: Mapping[str, Sequence[Mapping[str, Any]]],
    logs: Mapping[str, PlatformLog],
) -> Verdict:
    """Everything that was handed in, whether or not an answer came."""
    verdict = Verdict()
    by_id = {report["id"]: report for report in reports}
    for one in submissions:
        verdict.announcements += 1
        verdict.refused += [f"{one.token}: answered {status}" for status in one.refusals if status not in (503, 507)]
        report = by_id.get(one.answered["id"]) if one.answered else None
        if one.answered and report is None:
            verdict.lost.append(f"{one.token}: accepted as {one.answered['id']}, and unknown now")
        deliveries = {d["channel"]: d for d in report["deliveries"]} if report else {}
        for channel, log in logs.items():
            copies = [post for post in log.posts if one.token in post.text]
            told = [e for e in events.get(report["id"], ()) if e["channel"] == channel] if report else []
            _judge_one(verdict, one, channel, deliveries.get(channel), copies, told)
    return verdict


def _judge_one(
    verdict: Verdict,
    one: Submission,
    channel: str,
    delivery: Mapping[str, Any] | None,
    copies: Sequence[Post],
    told: Sequence[Mapping[str, Any]],
) -> None:
    where = f"{one.token} on {channel}"
    if len(copies) > 1:
        if channel in LISTED and any("copies" in (e["reason"] or {}).get("en", "") for e in told):
            verdict.reported += 1
        else:
            verdict.duplicates.append(f"{where}: {len(copies)} copies, of which the status says nothing")
    if delivery is None:
        return
    verdict.deliveries += 1
    state, visible = delivery["state"], [post for post in copies if post.is_up]
    verdict.unconfirmed += state == "unconfirmed" and channel in BLIND
    if one.withdrawn_at is not None:
        after = [post.posted_at.timestamp() - one.withdrawn_at for post in copies]
        late = [
            f"{where}: posted {each:.1f} s after the withdrawal was answered"
            for each in after
            if each > ARRIVES_WITHIN_S
        ]
        verdict.after_withdrawal += late
        return
    if state == "live" and not visible:
        course = [f"{e['n']} {e['kind']} ({(e['reason'] or {}).get('en')})" for e in told]
        taken = [f"{post.id} taken away by {post.removed_by}" for post in copies]
        verdict.untrue.append(f"{where}: live, and there is no copy; {taken}; {delivery['platform_id']}: {course}")
    if state in ("failed", "expired", "skipped") and copies:
        verdict.untrue.append(f"{where}: {state}, and there is a copy")
    if state == "skipped" and "newest five" in (delivery["reason"] or {}).get("en", ""):
        verdict.given_up.append(where)
    elif channel in LISTED and state == "unconfirmed":
        verdict.left_open.append(f"{where}: {len(copies)} copies after {[e['kind'] for e in told]}")
    elif state != "live" and not (channel in BLIND and state == "unconfirmed"):
        verdict.lost.append(f"{where}: {state} ({(delivery['reason'] or {}).get('en')})")
