"""What a list of an account's posts proves, and what it does not."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from adapters._readback import MOST_PAGES, Listed, Page, is_ours, search, window
from broker.contract import Job
from broker.model import Composed
from broker.outcome import Fault, Hidden, Live, NotSeen, Outcome, Seen, Unavailable

SENT_AT = datetime(2026, 11, 22, 3, 0, tzinfo=UTC)
TEXT = "Bão số 9 đổ bộ\n\nSơ tán trước 18 giờ, theo lệnh của ban chỉ huy.\n\nhttps://tin.example/l/TVD-7QK2F9"


class Open:
    passed = False

    def enter(self) -> None: ...


async def keep(handle: str) -> None: ...


def job(*, neighbour: str | None = None, count: bool = False) -> Job:
    return Job(
        announcement_id="a",
        reference="TVD-7QK2F9",
        composed=Composed(text=TEXT),
        key="a-facebook",
        attempt=1,
        started_at=SENT_AT + timedelta(minutes=20),
        first_sent_at=SENT_AT,
        gate=Open(),
        store_handle=keep,
        neighbour=neighbour,
        count=count,
    )


def post(post_id: str, text: str = "Tin khác", after: float = 0, hidden: str | None = None) -> Listed:
    return Listed(post_id, text, SENT_AT + timedelta(seconds=after), f"https://p.example/{post_id}", hidden)


async def asked(job: Job, *pages: list[Listed] | Outcome):
    """The finding, and how many pages it took."""
    turns = 0

    async def turn(after: str | None) -> Page | Outcome:
        nonlocal turns
        assert after == (str(turns) if turns else None)
        page = pages[min(turns, len(pages) - 1)]
        turns += 1
        if isinstance(page, list):
            return Page(page, str(turns) if turns < len(pages) else None)
        return page

    return await search(job, turn, window(job)), turns


@pytest.mark.parametrize(
    ("text", "ours"),
    [
        (TEXT, True),
        (TEXT.replace("\n\n", "  \n"), True),
        ("Bão số 9 đổ bộ\n\nSơ tán".replace("ố", "ố"), False),
        (TEXT.replace("TVD-7QK2F9", "TVD-7QK2F8"), False),
        (f"Theo Tin Ví Dụ: {TEXT}", False),
        ("https://tin.example/l/TVD-7QK2F9", False),
        ("", False),
    ],
)
def test_a_copy_has_our_reference_and_our_beginning(text, ours):
    assert is_ours(job(), text) is ours


async def test_a_copy_is_found_with_its_address():
    assert await asked(job(), [post("2"), post("1", TEXT, after=1)]) == (
        Live("1", "https://p.example/1", Seen.ACCOUNT),
        1,
    )


async def test_a_copy_older_than_the_attempt_is_not_ours_but_clocks_may_differ():
    assert isinstance((await asked(job(), [post("1", TEXT, after=-61)]))[0], NotSeen)
    assert isinstance((await asked(job(), [post("1", TEXT, after=-59)]))[0], Live)


async def test_the_whole_window_is_paged_and_no_more():
    found, turns = await asked(job(), [post("3", after=9)], [post("2", after=-61)], [post("1", TEXT)])
    assert (found, turns) == (NotSeen(SENT_AT - timedelta(seconds=60)), 2)


async def test_paging_goes_on_to_the_neighbour():
    pages = [post("3", after=9)], [post("2", after=-61)], [post("n", after=-90)], [post("1", after=-99)]
    assert await asked(job(neighbour="n"), *pages) == (NotSeen(SENT_AT - timedelta(seconds=60), neighbour=True), 3)
    assert await asked(job(neighbour="x"), *pages) == (NotSeen(SENT_AT - timedelta(seconds=60), neighbour=False), 4)


async def test_an_empty_page_in_the_middle_is_not_the_end():
    assert isinstance((await asked(job(), [], [post("1", TEXT)]))[0], Live)


async def test_a_list_without_end_does_not_reach_back():
    found, turns = await asked(job(), *[[post("p", after=500)]] * 99)
    assert (found, turns) == (NotSeen(SENT_AT + timedelta(seconds=500)), MOST_PAGES)
    found, _ = await asked(job(), *[[]] * 99)
    assert isinstance(found, NotSeen)
    assert found.back_to > SENT_AT


async def test_a_page_that_fails_proves_nothing():
    down = Unavailable(Fault.SERVER, "HTTP 503")
    assert (await asked(job(), [post("1", TEXT, after=5)], down))[0] == down


async def test_copies_are_named_oldest_first_also_within_one_second():
    listed = [post("4", TEXT, after=9), post("3", TEXT, after=5), post("2", TEXT, after=5), post("1")]
    assert (await asked(job(count=True), listed))[0] == Live("2", "https://p.example/2", Seen.ACCOUNT, ("3", "4"))
    assert (await asked(job(), listed))[0] == Live("2", "https://p.example/2", Seen.ACCOUNT)


async def test_a_copy_on_two_pages_is_one_copy():
    """Pages overlap, by intent or because the list grew while it was read: a second sight is no second copy."""
    ours = post("p1", TEXT, 5)
    found, _ = await asked(job(count=True), [post("x", after=9), ours], [ours, post("y", after=-90)])
    assert found == Live("p1", "https://p.example/p1", Seen.ACCOUNT, ())


async def test_a_copy_that_readers_cannot_see_is_told_as_such_unless_they_see_another():
    unseen = post("1", TEXT, hidden="switch the app to live mode")
    assert (await asked(job(), [unseen]))[0] == Hidden("switch the app to live mode")
    found = (await asked(job(), [post("2", TEXT, after=5), unseen]))[0]
    assert isinstance(found, Live)
    assert found.platform_id == "2"
