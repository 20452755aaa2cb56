"""Which pictures and videos of an announcement one platform shows. Pure; nothing is opened or made here."""

from __future__ import annotations

from broker.contract import MediaNeeds, Unsuited
from broker.model import MediaKind, Medium, Post, Urgency


def chosen(post: Post, needs: MediaNeeds, *, card_video: bool = False) -> tuple[Medium, ...]:
    """The agency's own media that the platform takes, in the agency's order; where it must have some, else a card.

    A video is made of the card only for urgent news and only where the channel allows it (`card_video`): mute videos
    on quiet days harm a channel. Raises `Unsuited` with what to add when the platform would be left with nothing.
    """
    if own := _own(post, needs):
        return own
    match needs.card:
        case None:
            return ()
        case MediaKind.IMAGE if post.card:
            return (post.card,)
        case MediaKind.VIDEO if card_video and post.urgency is Urgency.URGENT and post.card_video:
            return (post.card_video,)
        case kind:
            raise Unsuited(_what_to_add(kind, post, card_video))


def _own(post: Post, needs: MediaNeeds) -> tuple[Medium, ...]:
    images = [medium for medium in post.media if medium.kind is MediaKind.IMAGE][: needs.images]
    videos = [medium for medium in post.media if medium.kind is MediaKind.VIDEO][: needs.videos]
    taken = [medium for medium in post.media if medium in images or medium in videos]
    if needs.mixed:
        return tuple(taken)
    return tuple(medium for medium in taken if medium.kind is taken[0].kind)


def _what_to_add(kind: MediaKind, post: Post, card_video: bool) -> str:
    """A key of the catalogue."""
    if kind is MediaKind.IMAGE:
        return "add_picture"
    if not card_video:
        return "add_video"
    return "add_video_folder" if post.urgency is Urgency.URGENT else "add_video_routine"
