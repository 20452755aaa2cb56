"""The demo's verdict turns red for every promise that is broken, whatever the broker says."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from io import StringIO

import pytest
from rich.console import Console

from broker.cli.demo.scene import Scene, Weight
from broker.cli.demo.screen import Board, verdict_page
from broker.cli.demo.story import OUTAGE, PHASES, REFUSED
from broker.cli.demo.verdict import (
    Alert,
    Copy,
    Sent,
    Shown,
    Times,
    Verdict,
    alerts_in,
    burned_tokens,
    copies_in,
    copies_on_site,
    judge,
)
from broker.clock import SystemClock
from broker.model import Goal, Role
from broker.values import replace

T0 = datetime(2026, 11, 22, 3, 0, tzinfo=UTC)
GOAL = Goal(2, 1, timedelta(seconds=60))
CALM, DARK = Sent(1, "TVD-AAAAAA", "trước", T0), Sent(2, "TVD-BBBBBB", "trong", T0 + timedelta(seconds=10))
TIMES = Times(failed_at=T0 + timedelta(seconds=5), healed_at=T0 + timedelta(seconds=20))


def copy(sent: Sent, after: float) -> Copy:
    return Copy(sent.reference, sent.at + timedelta(seconds=after))


def shown(name: str, *copies: Copy, role: Role = Role.POST_TO, at_home: bool = False, asked: bool = True) -> Shown:
    return Shown(
        name=name,
        role=role,
        operator="meta" if name == "facebook" else name,
        counts=name != "telegram",
        domestic=at_home,
        can_be_asked=asked,
        stricken=name == "facebook",
        copies=copies,
    )


FACEBOOK = shown("facebook", copy(CALM, 1), copy(DARK, 11))
ZALO = shown("zalo", copy(CALM, 2), copy(DARK, 2), at_home=True)
TELEGRAM = shown("telegram", copy(CALM, 1), copy(DARK, 1), asked=False)
PARTNER = shown("partner", copy(DARK, 3), role=Role.STAND_IN, at_home=True)
GOOD = {one.name: one for one in (FACEBOOK, ZALO, TELEGRAM, PARTNER)}


TOLD = {way: [Alert(way, T0 + timedelta(seconds=s)) for s in (11, 25)] for way in ("duty", "duty_mail")}


def verdict(times: Times = TIMES, burned: tuple[str, ...] = (), **changed: Shown) -> Verdict:
    return judge([CALM, DARK], {**GOOD, **changed}.values(), GOAL, times, burned, TOLD)


@pytest.mark.parametrize(
    "told",
    [
        {},
        {"duty": TOLD["duty"]},
        {**TOLD, "duty": []},
        {**TOLD, "duty": [*TOLD["duty"], TOLD["duty"][1]]},
        {**TOLD, "duty_mail": TOLD["duty_mail"][:1]},
    ],
)
def test_people_must_be_told_once_of_each_by_two_ways(told: dict[str, list[Alert]]):
    assert verdict().told == {"duty": (1, 1), "duty_mail": (1, 1)}
    found = judge([CALM, DARK], GOOD.values(), GOAL, TIMES, (), told)
    assert [what for what in found.wrong if what.startswith("people were not told once")] == found.wrong != []


def test_alerts_are_read_from_one_way_and_about_one_operator():
    said = [("hooks/duty", "Meta is down"), ("hooks/duty", "Zalo is down"), ("hooks/loa", "Meta is down")]
    log = {"taken": [{"author": who, "text": text, "posted_at": T0.isoformat()} for who, text in said]}
    assert alerts_in(log, "duty", "hooks/duty", "Meta") == [Alert("duty", T0)]


def too_late(after: float) -> Verdict:
    """The second operator of the announcement in the outage comes so late."""
    facebook = replace(FACEBOOK, copies=(copy(CALM, 1), copy(DARK, after + 1)))
    return verdict(partner=replace(PARTNER, copies=(copy(DARK, after),)), facebook=facebook)


def test_what_went_well_is_counted():
    found = verdict()
    assert found.ok
    assert (found.goal_met, found.slowest_s) == (2, 3.0)
    assert (found.stand_ins, found.late_copies, found.late_copies_owed) == (1, 1, 1)


@pytest.mark.parametrize(
    ("broken", "told"),
    [
        (lambda: verdict(zalo=replace(ZALO, copies=(copy(CALM, 2),))), "lost: TVD-BBBBBB on zalo"),
        (lambda: verdict(facebook=replace(FACEBOOK, copies=(copy(CALM, 1),))), "lost: TVD-BBBBBB on facebook"),
        (lambda: verdict(facebook=shown("facebook", copy(CALM, 1), copy(DARK, 1))), "late copies are missing"),
        (lambda: verdict(zalo=replace(ZALO, copies=(*ZALO.copies, copy(DARK, 4)))), "TVD-BBBBBB on zalo (2)"),
        (lambda: verdict(partner=replace(PARTNER, copies=())), "no stand-in carried TVD-BBBBBB"),
        (lambda: too_late(61), "the goal was missed by 1 of 2"),
        (lambda: verdict(zalo=replace(ZALO, domestic=False), partner=replace(PARTNER, domestic=False)), "by 2 of 2"),
        (lambda: verdict(burned=("zalo (used before)",)), "tokens burned: zalo (used before)"),
        (lambda: verdict(telegram=replace(TELEGRAM, copies=(copy(CALM, 1),))), "lost: TVD-BBBBBB on telegram"),
        (lambda: judge([], GOOD.values(), GOAL, TIMES, (), TOLD), "nothing was announced"),
    ],
)
def test_each_broken_promise_is_named(broken: Callable[[], Verdict], told: str):
    found = broken()
    assert not found.ok
    assert any(told in wrong for wrong in found.wrong)


def test_what_was_in_flight_at_a_kill_where_nobody_can_be_asked_is_open_and_not_lost():
    times = replace(TIMES, killed_at=DARK.at + timedelta(seconds=1))
    found = verdict(times, telegram=replace(TELEGRAM, copies=(copy(CALM, 1),)))
    assert (found.ok, found.unconfirmed) == (True, ["TVD-BBBBBB on telegram"])
    late = replace(times, killed_at=DARK.at + timedelta(seconds=8))
    assert not verdict(late, telegram=replace(TELEGRAM, copies=(copy(CALM, 1),))).ok


def test_a_copy_taken_down_counts_as_lost():
    gone = replace(ZALO, copies=(copy(CALM, 2), replace(copy(DARK, 2), is_up=False)))
    assert verdict(zalo=gone).lost == ["TVD-BBBBBB on zalo"]


def post(text: str, **rest: object) -> dict[str, object]:
    given = {"text": text, "author": "hooks/loa", "posted_at": T0.isoformat(), "removed_at": None}
    return {**given, "visible": True, "how": "api", **rest}


def test_only_our_own_public_posts_of_that_account_are_copies():
    taken = [
        post("Tin\n\nTVD-AAAAAA"),
        post("báo động TVD-AAAAAA", author="hooks/duty"),
        post("TVD-AAAAAA", how="planted"),
        post("TVD-AAAAAA", visible=False),
        post("không có mã"),
    ]
    assert copies_in({"taken": taken}, "hooks/loa") == (Copy("TVD-AAAAAA", T0),)
    assert len(copies_in({"taken": taken}, None)) == 2


def test_the_site_is_counted_by_its_feed():
    items = [{"url": "https://tin.example/l/TVD-AAAAAA", "date_published": "2026-11-22T03:00:00Z"}]
    assert copies_on_site({"items": items}) == (Copy("TVD-AAAAAA", T0),)


def request(verdict: str, after: float) -> dict[str, str]:
    return {"at": (TIMES.healed_at + timedelta(seconds=after)).isoformat(), "verdict": verdict}


def test_tokens_count_as_burned_when_replaced_refused_or_not_accepted_since():
    logs = {
        "facebook": {"notes": [], "requests": [request("200", 1)]},
        "threads": {"notes": [{"what": "token issued", "detail": ""}], "requests": [request("200", -1)]},
        "zalo": {"notes": [{"what": "refresh token refused", "detail": "used before"}], "requests": []},
    }
    found = list(burned_tokens(logs, ("facebook", "threads"), TIMES.healed_at))
    assert found == ["zalo (used before)", "threads (replaced)", "threads (not accepted since the return)"]


# the screen


REPORT = {
    "accepted_at": T0.isoformat(),
    "deliveries": [
        {"channel": "site", "role": "post_to", "state": "sending"},
        {"channel": "facebook", "role": "post_to", "state": "due"},
        {"channel": "partner", "role": "stand_in", "state": "standby"},
    ],
}
NAMES = ("site", "facebook", "zalo", "telegram", "threads", "partner", "people")


def event(n: int, kind: str, channel: str | None, text: str, after: float = 1.0) -> dict[str, object]:
    at = (T0 + timedelta(seconds=after)).isoformat()
    return {"n": n, "at": at, "kind": kind, "channel": channel, "reason": {"en": text, "vi": text}}


def test_the_news_tells_stand_ins_and_late_copies():
    told: list[str] = []
    scene = Scene(lambda line, weight=Weight.NEWS: told.append(line), NAMES)
    row = scene.accept(CALM, REPORT)
    scene.take(row, event(2, "sending", "partner", "Meta is down: partner carries it"))
    scene.take(row, event(3, "live", "partner", "Live"))
    scene.take(row, event(4, "goal_met", None, "Goal met after 1 s"))
    scene.take(row, event(5, "live", "facebook", "Late copy", after=14))
    assert told == [
        "#1 is accepted: trước",
        "#1 Meta is down: partner carries it",
        "#1 is out: goal met after 1 s",
        "#1 facebook: late copy, 14 s after it was written",
    ]
    assert (row.to_goal, row.states["facebook"], row.seen) == (1.0, "live", 5)


@pytest.mark.parametrize(("width", "height"), [(80, 24), (100, 30)])
def test_the_board_fits_the_terminal(width: int, height: int):
    out = StringIO()
    console = Console(file=out, width=width, height=height, force_terminal=True, color_system=None)
    board = Board(console, SystemClock())
    scene = Scene(board.tell, NAMES)
    board.show(scene)
    scene.begin(REFUSED)
    for number in range(1, 10):
        row = scene.accept(replace(CALM, number=number, headline="Một tin rất dài " * 5), REPORT)
        scene.take(row, event(2, "sending", "partner", "Meta is down since 13:24 (Facebook and Threads): " * 2))
    console.print(board.page())
    lines = out.getvalue().rstrip("\n").split("\n")
    assert len(lines) < height
    assert max(map(len, lines)) <= width
    assert "Meta is gone" in out.getvalue()
    assert "#9 Một tin" in out.getvalue()


def test_the_verdicts_page_says_what_is_wrong():
    out = StringIO()
    console = Console(file=out, width=100, color_system=None)
    console.print(verdict_page(verdict(), 31.0))
    assert "All is as promised." in out.getvalue()
    console.print(verdict_page(verdict(burned=("zalo",)), 31.0))
    assert "Wrong: tokens burned: zalo." in out.getvalue()


def test_the_outage_follows_the_calm_and_ends_before_the_return():
    assert PHASES[1:-1] == OUTAGE
