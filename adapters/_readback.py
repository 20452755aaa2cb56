"""Read-back by list: whether a post of ours is among what an account has published, and how many copies of it.

A list proves little: it lags, it may come back empty with HTTP 200, and others quote us. So the whole window is paged,
a copy must carry the reference, begin as ours begins and be young enough, and our neighbouring post must be there too.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from broker.contract import Job
from broker.outcome import Finding, Hidden, Live, NotSeen, Outcome, Seen

CLOCKS_DIFFER = timedelta(seconds=60)
BEGINNING = 60
MOST_PAGES = 20


@dataclass(frozen=True, slots=True)
class Listed:
    """One entry of an account's list."""

    id: str
    text: str
    at: datetime
    url: str | None = None
    hidden: str | None = None
    """Why readers cannot see it and what to do; None when they can."""


@dataclass(frozen=True, slots=True)
class Page:
    """A part of a list, newest first; `after` leads to the next part, None at the end."""

    posts: Sequence[Listed]
    after: str | None = None


Turn = Callable[[str | None], Awaitable[Page | Outcome]]
"""Fetches one page: the first one for None."""


def window(job: Job) -> datetime:
    """How far back a list must reach to say anything about this job."""
    return (job.first_sent_at or job.started_at) - CLOCKS_DIFFER


def is_ours(job: Job, text: str) -> bool:
    """Whether a post with this text is a copy of the job's, and no other that quotes it."""
    return job.reference in text and _plain(text).startswith(_plain(job.composed.text)[:BEGINNING])


async def search(job: Job, turn: Turn, since: datetime, most_pages: int = MOST_PAGES) -> Finding:
    """`Live` for the oldest copy made at or after `since`, else how far back it was not seen; or why a page failed."""
    posts: list[Listed] = []
    after: str | None = None
    for _ in range(most_pages):
        page = await turn(after)
        if not isinstance(page, Page):
            return page
        posts += page.posts
        after = page.after
        if after is None or _is_enough(job, posts, since):
            return _verdict(job, posts, since, since)
    return _verdict(job, posts, since, max(since, min((post.at for post in posts), default=job.started_at)))


def _is_enough(job: Job, posts: Sequence[Listed], since: datetime) -> bool:
    return bool(posts) and posts[-1].at < since and _neighbour(job, posts) is not False


def _verdict(job: Job, posts: Sequence[Listed], since: datetime, back_to: datetime) -> Finding:
    each_once = {post.id: post for post in reversed(posts)}.values()  # pages overlap
    copies = [post for post in each_once if post.at >= since and is_ours(job, post.text)]
    if not copies:
        return NotSeen(back_to, _neighbour(job, posts))
    public = [post for post in copies if not post.hidden]
    if not public:
        return Hidden(copies[0].hidden or "")
    first, *younger = sorted(public, key=lambda post: post.at)
    return Live(first.id, first.url, Seen.ACCOUNT, tuple(post.id for post in younger) if job.count else ())


def _neighbour(job: Job, posts: Sequence[Listed]) -> bool | None:
    return None if job.neighbour is None else any(post.id == job.neighbour for post in posts)


def _plain(text: str) -> str:
    return " ".join(unicodedata.normalize("NFC", text).split())
