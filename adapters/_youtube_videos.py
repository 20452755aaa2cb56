"""A YouTube video: from a post to its title and description, and from what YouTube says of it to where it stands. Pure.

Source: as in `adapters._youtube`; the title's limit counts characters, the description's bytes, and neither may
hold angle brackets.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from adapters._readback import Listed
from adapters._titled import titled
from broker.contract import MediaNeeds, TextLimit, Unit
from broker.model import Composed, MediaKind, Post
from broker.outcome import Denied, Fault, Finding, Hidden, Live, Pending, Rejected, Seen, Unavailable
from broker.rules.media import chosen
from broker.rules.text import GAP, compose_text, cut

TITLE = TextLimit(100, Unit.UTF16)
DESCRIPTION = TextLimit(5000, Unit.BYTES)
MEDIA = MediaNeeds(videos=1, card=MediaKind.VIDEO, mimes=frozenset({"video/mp4"}))
NOT_PUBLIC = (
    "only the account sees the video ({privacy}): YouTube locks uploads of projects that it has not audited, so ask for"
    " the audit, upload the video in YouTube Studio until then; or somebody has set it so in the Studio"
)
_ACCOUNT = {
    "uploaderAccountSuspended": "YouTube has suspended the account: appeal in YouTube Studio",
    "uploaderAccountClosed": "the YouTube account is closed: connect another channel",
}
_KEPT = ("tags", "categoryId", "defaultLanguage", "defaultAudioLanguage")
_BRACKETS = str.maketrans("<>", "‹›")


def compose(post: Post, card_video: bool) -> Composed:
    """The headline is the title; where it has no room there, it also begins the description."""
    post = replace(
        post,
        headline=post.headline.translate(_BRACKETS),
        body=post.body.translate(_BRACKETS),
        override=post.override.translate(_BRACKETS) if post.override else None,
    )
    media = chosen(post, MEDIA, card_video=card_video)
    headline, body = titled(post)
    title = cut(headline, TITLE.limit, TITLE.unit) or post.reference
    rest = "" if title == headline else headline
    described = compose_text(replace(post, headline=rest, body=body, override=None), DESCRIPTION)
    cuts = [f"the title is cut: YouTube takes {TITLE.limit} characters"] if rest else []
    told = "; ".join([*cuts, *filter(None, (described.cut,))])
    return replace(
        described,
        text=GAP.join([title, described.text]),
        parts={"title": title, "description": described.text},
        cut=told or None,
        media=media,
    )


def encode(composed: Composed, category: str, privacy: str = "public") -> dict[str, Any]:
    """The video as `videos.insert` wants it."""
    return {
        "snippet": {**composed.parts, "categoryId": category},
        "status": {"privacyStatus": privacy, "selfDeclaredMadeForKids": False},
    }


def rehearsal(category: str, at: datetime) -> dict[str, Any]:
    """A video that readers would never see."""
    words = f"Loa rehearses {at.isoformat()}"
    return encode(Composed(text=words, parts={"title": words, "description": words}), category, privacy="private")


def edited(shown: Mapping[str, Any], composed: Composed) -> dict[str, Any]:
    """`snippet` for `videos.update`, which clears what it is not given: the desk's own tags stay."""
    return {name: shown[name] for name in _KEPT if name in shown} | dict(composed.parts)


def standing(video: Mapping[str, Any], waits: timedelta) -> Finding:
    """Whether readers can see a video that YouTube describes with its `id` and `status`."""
    match video:
        case {"id": str(video_id), "status": {"uploadStatus": str(upload), **status}}:
            pass
        case _:
            return Unavailable(Fault.SERVER, "a video that nobody can read")
    match upload, status.get("privacyStatus"):
        case "rejected" | "failed", _:
            reason = str(status.get("rejectionReason") or status.get("failureReason") or "no reason given")
            return Denied(_ACCOUNT[reason]) if reason in _ACCOUNT else Rejected(reason, _judged(upload, reason))
        case "deleted", _:
            return Rejected("deleted", "somebody has deleted the video in YouTube Studio")
        case _, "private" | "unlisted" as privacy:
            return Hidden(NOT_PUBLIC.format(privacy=privacy))
        case "processed", "public":
            return Live(video_id, f"https://www.youtube.com/watch?v={video_id}", Seen.ACCOUNT)
        case "uploaded", "public":
            return Pending(f"video {video_id}", waits)
        case _:
            return Unavailable(Fault.SERVER, "a video whose state nobody can read")


def listed(item: Mapping[str, Any]) -> Listed:
    """One line of the uploads list. Raises `KeyError`, `TypeError` or `ValueError` if it cannot be read."""
    snippet, privacy = item["snippet"], item["status"]["privacyStatus"]
    return Listed(
        item["contentDetails"]["videoId"],
        GAP.join([snippet["title"], snippet["description"]]),
        datetime.fromisoformat(snippet["publishedAt"]),
        hidden=None if privacy == "public" else NOT_PUBLIC.format(privacy=privacy),
    )


def _judged(upload: str, reason: str) -> str:
    if upload == "failed":
        return f"YouTube could not process the video ({reason}): send it as MP4 with H.264"
    return f"YouTube has rejected the video ({reason}): see YouTube Studio"
