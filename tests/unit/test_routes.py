"""Routes plan what was written, fill in what was not, and are refused when they cannot work."""

from datetime import timedelta

import pytest

from broker.contract import Path, Profile, Readers, Step
from broker.model import Goal, StepClass, Urgency
from broker.rules.routes import Route, default_route, meant, problems
from broker.rules.standing import Channel


def a_channel(name: str, operator: str, country: str = "VN", **profile: object) -> Channel:
    steps = (Step("post", StepClass.LIST),)
    declared = Profile(adapter=name, operator=operator, country=country, steps=steps, **profile)  # type: ignore[arg-type]
    return Channel(key=f"agency/{name}", profile=declared, domestic=country == "VN")


CHANNELS = {
    "site": a_channel("site", "own", own=True, path=Path.OWN),
    "facebook": a_channel("facebook", "meta", "US"),
    "threads": a_channel("threads", "meta", "US"),
    "zalo": a_channel("zalo", "vng"),
    "telegram": a_channel("telegram", "telegram", "AE", readers=Readers.ABROAD),
    "push": a_channel("push", "vng", push=True),
    "sms": a_channel("sms", "viettel", cost="900 đ a message"),
}

NEVER_STARTED = (
    "is over before half of goal.within is, when stand-ins and reserve are started for the goal: "
    "make it longer than that half, or goal.within{} shorter"
)


def a_route(*post_to: str, **more: object) -> Route:
    return Route(name="r", post_to=post_to, **more)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("route", "goal"),
    [
        (a_route("facebook", "zalo"), (2, 1)),
        (a_route("facebook", "threads"), (1, 0)),
        (a_route("zalo"), (1, 1)),
        (a_route("site", "telegram"), (0, 0)),
        (a_route("facebook", stand_ins={"facebook": ("zalo",)}, reserve=("sms",)), (2, 1)),
        (a_route("facebook", "zalo", operators=1), (1, 1)),
        (a_route("zalo", reserve=("sms",), domestic=2), (2, 2)),
        (a_route("facebook", "zalo", operators=0), (0, 0)),
        (a_route("facebook", "zalo", domestic=0), (2, 0)),
    ],
)
def test_the_goal_when_it_is_not_written(route: Route, goal: tuple[int, int]):
    planned = route.plan(Urgency.ROUTINE, CHANNELS).goal
    assert (planned.operators, planned.domestic) == goal
    assert not list(problems(route, CHANNELS, ()))


@pytest.mark.parametrize(
    ("urgency", "within_s", "stand_in_after_s"), [(Urgency.ROUTINE, 300, 15), (Urgency.URGENT, 60, 5)]
)
def test_urgency_sets_the_times_that_are_not_written(urgency: Urgency, within_s: int, stand_in_after_s: int):
    plan = a_route("facebook", "zalo").plan(urgency, CHANNELS)
    assert plan.goal == Goal(2, 1, timedelta(seconds=within_s))
    assert plan.stand_in_after == timedelta(seconds=stand_in_after_s)
    written = a_route("facebook", within=timedelta(seconds=9), stand_in_after=timedelta(0)).plan(urgency, CHANNELS)
    assert (written.goal.within, written.stand_in_after) == (timedelta(seconds=9), timedelta(0))


def test_the_default_route_spares_phones_and_money():
    route = default_route(CHANNELS)
    assert route.post_to == ("site", "facebook", "threads", "zalo", "telegram")
    assert route.reserve == ("push", "sms")


def test_channels_stand_in_the_order_of_writing():
    route = a_route(
        "facebook", "zalo", stand_ins={"facebook": ("zalo", "threads"), "zalo": ("threads",)}, reserve=("sms",)
    )
    assert route.channels == ("facebook", "zalo", "threads", "sms")


@pytest.mark.parametrize(
    ("route", "found"),
    [
        (a_route(), [("post_to", "is empty: name at least one channel")]),
        (
            a_route("facebok", "zalo"),
            [("post_to", "there is no channel `facebok`; did you mean `facebook`?")],
        ),
        (
            a_route("zalo", "duty"),
            [("post_to", "`duty` is one of the agency's alerts channels, which are never used for posts")],
        ),
        (a_route("zalo", "zalo"), [("post_to", "`zalo` is named twice")]),
        (
            a_route("zalo", stand_ins={"facebook": ("threads",)}),
            [("stand_ins.facebook", "`facebook` is not in post_to, so nothing needs to stand in for it")],
        ),
        (
            a_route("facebook", stand_ins={"facebook": ("facebook",)}),
            [("stand_ins.facebook", "`facebook` cannot stand in for itself")],
        ),
        (
            a_route("facebook", stand_ins={"facebook": ("zalo",)}, reserve=("zalo",)),
            [("reserve", "`zalo` is in post_to or stand_ins already: name it in one place")],
        ),
        (
            a_route("facebook", "threads", "telegram", "site", operators=2),
            [
                (
                    "goal.operators",
                    (
                        "2 cannot be met: on this route readers at home can open 1 of them (meta); "
                        "add a channel of another operator, or lower the goal"
                    ),
                )
            ],
        ),
        (
            a_route("facebook", "zalo", operators=2, domestic=2),
            [
                (
                    "goal.domestic",
                    (
                        "2 cannot be met: of this route's outside operators (meta, vng) 1 is domestic; "
                        "add a domestic channel, or lower the goal"
                    ),
                )
            ],
        ),
        (
            a_route("facebook", "zalo", operators=0, domestic=1),
            [("goal.domestic", "1 is more than goal.operators (0), of which they are a part")],
        ),
        (
            a_route("zalo", reserve=("sms",), within=timedelta(minutes=20), start_by=timedelta(minutes=10)),
            [("start_by", NEVER_STARTED.format(""))],
        ),
        (
            a_route("facebook", stand_ins={"facebook": ("zalo",)}, start_by=timedelta(minutes=2)),
            [("start_by", NEVER_STARTED.format(" (where it is not written: 5 minutes, if urgent 1)"))],
        ),
    ],
)
def test_routes_that_cannot_work(route: Route, found: list[tuple[str, str]]):
    assert list(problems(route, CHANNELS, ("duty",))) == found


def test_start_by_is_as_short_as_one_likes_where_nothing_is_started_and_long_enough_where_it_is():
    assert not list(problems(a_route("facebook", "zalo", start_by=timedelta(seconds=1)), CHANNELS, ()))
    enough = a_route("zalo", reserve=("sms",), within=timedelta(minutes=19), start_by=timedelta(minutes=10))
    assert not list(problems(enough, CHANNELS, ()))


def test_what_was_probably_meant():
    assert meant("zallo", CHANNELS) == "; did you mean `zalo`?"
    assert meant("radio", ["zalo", "site"]) == "; there are: site, zalo"
    assert meant("radio", []) == ""
