"""The platform's own record of what really happened to it: the oracle of every safety test.

It is written by the emulator alone, holds no token, and travels as JSON through the control port.
"""

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any, Self

_REFERENCE = re.compile(r"(?<![A-Z0-9])[A-Z]{2,6}-[A-Z0-9]{6}(?![A-Z0-9])")


def references(text: str) -> set[str]:
    """The references (`TVD-7QK2F9`) that `text` carries."""
    return set(_REFERENCE.findall(text))


@dataclass(slots=True)
class Post:
    """One post the platform took. `text` is what it shows now."""

    id: str
    text: str
    author: str  # page, account or channel
    posted_at: datetime
    listed_at: datetime  # lists show it from then on: the platform's read-after-write lag
    how: str = "api"  # api, planted (by a test hook), or the platform's own word for another way
    visible: bool = True  # False: only its makers can see it
    edited_at: datetime | None = None
    removed_at: datetime | None = None
    removed_by: str | None = None  # owner or platform
    extra: dict[str, Any] = field(default_factory=dict)  # what else the platform was given, as JSON

    @property
    def is_up(self) -> bool:
        """Is it there now, be it for its makers only?"""
        return self.removed_at is None


@dataclass(slots=True)
class Request:
    """One request that reached the platform, or one connection that it broke."""

    at: datetime
    method: str
    path: str  # without query; secrets masked
    step: str
    host: str
    verdict: str = "open"  # then: the HTTP status, the platform's refusal, or the fault that struck


@dataclass(slots=True)
class Note:
    """Something else worth telling, such as a refresh token that was used twice."""

    at: datetime
    what: str
    detail: str = ""


@dataclass(slots=True)
class PlatformLog:
    """Everything one platform took in, in order; entries are added and completed, never taken out."""

    taken: list[Post] = field(default_factory=list)
    requests: list[Request] = field(default_factory=list)
    notes: list[Note] = field(default_factory=list)

    @property
    def posts(self) -> list[Post]:
        """Our posts that the public could see at some time, removed ones included."""
        return [post for post in self.taken if post.visible and post.how != "planted"]

    @property
    def visible(self) -> list[Post]:
        """Our posts that the public can see now."""
        return [post for post in self.posts if post.is_up]

    def copies(self, reference: str) -> list[Post]:
        """Our posts, ever public, that carry `reference`."""
        return [post for post in self.posts if reference in references(post.text)]

    def duplicates(self) -> dict[str, int]:
        """Reference -> number of copies ever public, for those with more than one."""
        counts = Counter(reference for post in self.posts for reference in references(post.text))
        return {reference: count for reference, count in counts.items() if count > 1}

    def asked(self, step: str) -> list[Request]:
        """The requests for one step."""
        return [request for request in self.requests if request.step == step]

    def to_json(self) -> dict[str, Any]:
        return {key: _plain(entries) for key, entries in asdict(self).items()}

    @classmethod
    def from_json(cls, data: Mapping[str, list[dict[str, Any]]]) -> Self:
        """The log that `to_json` wrote."""
        return cls(
            [Post(**_with_times(post)) for post in data["taken"]],
            [Request(**_with_times(request)) for request in data["requests"]],
            [Note(**_with_times(note)) for note in data["notes"]],
        )


def _plain(value: Any) -> Any:
    match value:
        case dict():
            return {key: _plain(item) for key, item in value.items()}
        case list():
            return [_plain(item) for item in value]
        case datetime():
            return value.isoformat()
        case _:
            return value


def _with_times(data: Mapping[str, Any]) -> dict[str, Any]:
    def read(key: str, value: Any) -> Any:
        is_time = value is not None and (key == "at" or key.endswith("_at"))
        return datetime.fromisoformat(value) if is_time else value

    return {key: read(key, value) for key, value in data.items()}
