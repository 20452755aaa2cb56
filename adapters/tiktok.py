"""Videos and pictures of one TikTok account: as drafts that a person posts, or, for audited apps, at once.

Source: as in `adapters._tiktok`. `init` gives a `publish_id`, which makes at most one post and tells what became of it.
A video is uploaded: before its last byte nothing can be public. Pictures are fetched from our public address, so their
`init` may publish, and only our own list might tell of one whose answer was lost.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from typing import ClassVar

from adapters._files import files_of
from adapters._http import host_of
from adapters._readback import search, window
from adapters._tiktok import PRIVATE, TiktokApi, TiktokAppSettings, harmless, meaning
from adapters._tiktok_account import TiktokConnector
from adapters._tiktok_posts import Handle, Posts, Publication
from adapters._tiktok_texts import CAPTION, compose, for_everybody, post_info
from adapters._tiktok_uploads import send, source_of
from broker.contract import AdapterBase, ChannelSettings, Job, MediaFile, MediaNeeds, Profile, Step, Tools
from broker.model import Composed, MediaKind, Post, StepClass, Verb
from broker.outcome import (
    Absent,
    Denied,
    Fault,
    Finding,
    Hidden,
    Live,
    NotSeen,
    Outcome,
    Pending,
    Rejected,
    Uncertain,
    Unfinished,
)

MEDIA = MediaNeeds(images=35, videos=1, card=MediaKind.VIDEO, image_bytes=20_000_000, width=(360, 4096))
TAP, UNSEEN = "tap_draft", "draft_unseen"
VIDEO_INIT = {"inbox": "/v2/post/publish/inbox/video/init/", "direct": "/v2/post/publish/video/init/"}
PHOTO_MODE = {"inbox": "MEDIA_UPLOAD", "direct": "DIRECT_POST"}
NOW = timedelta(0)
_FIRST_CHECK, _LAST_CHECK = timedelta(seconds=1), timedelta(minutes=1)
_LOST_ID = Uncertain(Fault.SERVER, "TikTok took it and gave no id")


class TiktokSettings(TiktokAppSettings):
    """`[channels.NAME]` of a TikTok account."""

    card_video: bool = False
    """An urgent announcement without media becomes a short mute video of its headline."""


class TiktokAdapter(AdapterBase):
    """One account."""

    Settings: ClassVar[type[ChannelSettings]] = TiktokSettings

    def __init__(self, settings: TiktokSettings, tools: Tools) -> None:
        self._settings, self._tools = settings, tools
        self._is_direct = settings.mode == "direct"
        self.profile = _profile(settings)
        self._api = TiktokApi(settings, tools, self.profile)
        self._posts = Posts(self._api)
        self.connector: TiktokConnector = TiktokConnector(settings, tools, self._api)

    def compose(self, post: Post) -> Composed:
        return compose(post, MEDIA, card_video=self._settings.card_video)

    async def publish(self, job: Job) -> Outcome | Absent:
        if job.handle:
            return await self._continued(job, job.handle)
        files = await self._files(job)
        if not isinstance(files, list):
            return files
        info = await self._info(job, files[0])
        if not isinstance(info, dict):
            return info
        return await (self._photos(job, files, info) if _is_photo(job) else self._video(job, files[0], info))

    async def confirm(self, job: Job) -> Finding:
        known = await self._posts.publication(f"{job.handle}")
        return await self._found(job, known) if isinstance(known, Publication) else known

    async def find(self, job: Job) -> Finding:
        """Without an id nothing can be public, save pictures whose answer was lost: no list proves their absence."""
        if job.count:
            return await self._listed(job)
        if job.platform_id:
            return await self._posts.still_shown(job.platform_id, job.neighbour, self._tools.clock.now())
        if job.handle:
            return await self.confirm(job)
        if not (job.step and _is_photo(job)):
            return Absent()
        found = await self._listed(job)
        return replace(found, back_to=self._tools.clock.now()) if isinstance(found, NotSeen) else found

    async def _listed(self, job: Job) -> Finding:
        text = job.composed.parts.get("title", job.composed.text)
        return await search(replace(job, composed=replace(job.composed, text=text)), self._posts.page, window(job))

    async def probe(self) -> Outcome:
        found = await (self.connector.creator() if self._is_direct else self.connector.person())
        return Live(self._settings.client_key) if isinstance(found, dict) else found

    # -- what is sent

    async def _files(self, job: Job) -> list[MediaFile] | Outcome:
        """Pictures need a public address, videos do not."""
        return await files_of(job, replace(MEDIA, by_url=_is_photo(job)), self._tools)

    async def _info(self, job: Job, file: MediaFile) -> dict[str, object] | Outcome:
        """What goes with the media; for a post that is public at once, the account must be able to make it so."""
        if not self._is_direct:
            return post_info(job.composed)
        creator = await self.connector.creator()
        if not isinstance(creator, dict):
            return creator
        longest = creator.get("max_video_post_duration_sec")
        if file.duration and isinstance(longest, int) and file.duration > timedelta(seconds=longest):
            return Rejected("too_long", f"the account may post videos of {longest} s: make it shorter")
        return for_everybody(job.composed, creator)

    async def _video(self, job: Job, file: MediaFile, info: dict[str, object]) -> Outcome | Absent:
        body: dict[str, object] = {"source_info": source_of(file.size_bytes)}
        if self._is_direct:
            body["post_info"] = info
        match await self._api.write(VIDEO_INIT[self._settings.mode], job.gate, body):
            case {"publish_id": str(publish_id), "upload_url": str(url)} if publish_id and url.startswith("http"):
                handle = Handle(publish_id, file.size_bytes, int(self._tools.clock.now().timestamp()), url)
            case Mapping():
                return harmless(_LOST_ID)
            case outcome:
                return harmless(outcome)
        await job.keep(f"{handle}")
        return await self._uploaded(job, handle, file, 0)

    async def _photos(self, job: Job, files: list[MediaFile], info: dict[str, object]) -> Outcome | Absent:
        if self._is_direct:
            await job.keep("")  # from here on there may be a post without an id of ours
        source = {"source": "PULL_FROM_URL", "photo_images": [file.url for file in files], "photo_cover_index": 0}
        mode = PHOTO_MODE[self._settings.mode]
        body = {"media_type": "PHOTO", "post_mode": mode, "post_info": info, "source_info": source}
        match await self._api.write("/v2/post/publish/content/init/", job.gate, body):
            case {"publish_id": str(publish_id)} if publish_id:
                await job.keep(publish_id)
                return await self._continued(job, publish_id)
            case Mapping():
                return self._doubt(_LOST_ID)
            case outcome:
                return self._doubt(outcome)

    async def _uploaded(self, job: Job, handle: Handle, file: MediaFile, start: int) -> Outcome | Absent:
        """Piece by piece; a long upload goes on in the next attempt."""
        ends_at = self._tools.clock.now() + self.profile.total_timeout
        while start < file.size_bytes:
            if self._tools.clock.now() > ends_at:
                return Unfinished(f"{handle}", NOW)
            sent = await send(self._api, handle.upload_url, file, start, job.gate)
            if not isinstance(sent, int):
                return self._doubt(sent)
            start = sent
        known = await self._posts.publication(f"{handle}")
        return await self._told(job, known) if isinstance(known, Publication) else self._later(job)

    async def _continued(self, job: Job, handle: str) -> Outcome | Absent:
        known = await self._posts.publication(handle)
        if not isinstance(known, Publication):
            return known
        if not known.waits_for_bytes or known.handle.is_over(self._tools.clock.now()):
            return await self._told(job, known)
        files = await self._files(job)
        return (
            await self._uploaded(job, known.handle, files[0], known.arrived or 0) if isinstance(files, list) else files
        )

    def _doubt(self, outcome: Outcome) -> Outcome:
        """Of a draft nothing public can come by itself."""
        return outcome if self._is_direct else harmless(outcome)

    # -- what became of it

    async def _told(self, job: Job, known: Publication) -> Outcome | Absent:
        """As an answer to publish. What failed without a judgement is begun anew by the next attempt."""
        failed = meaning(known.why) if known.status == "FAILED" else None
        if failed and not isinstance(failed, Rejected):
            await job.keep("")
            return failed
        match await self._found(job, known):
            case Hidden(detail):
                return Denied(detail)
            case Unfinished() | NotSeen():  # TikTok counts the bytes a little later
                return self._later(job)
            case found:
                return found

    async def _found(self, job: Job, known: Publication) -> Finding:
        match known.status:
            case "PUBLISH_COMPLETE" if known.post_id:
                return await self._posts.live(known.post_id) if self._is_direct else Live(known.post_id)
            case "PUBLISH_COMPLETE" if self._is_direct:
                is_hidden = await self.connector.creator() == Denied(PRIVATE)
                return Hidden(PRIVATE) if is_hidden else self._later(job)
            case "PUBLISH_COMPLETE":
                return self._later(job, UNSEEN)
            case "SEND_TO_USER_INBOX":
                return self._later(job, TAP)
            case "FAILED":
                failed = meaning(known.why)
                return failed if isinstance(failed, Rejected) else Absent()
            case _ if known.waits_for_bytes:
                is_over = known.handle.is_over(self._tools.clock.now())
                return Absent() if is_over else Unfinished(f"{known.handle}", NOW)
            case _:
                return self._later(job)

    def _later(self, job: Job, why: str = "") -> Pending:
        """Asked again after a quarter of the time it has taken so far."""
        taken = self._tools.clock.now() - job.started_at
        return Pending(f"{job.handle}", min(max(taken / 4, _FIRST_CHECK), _LAST_CHECK), why)


def _is_photo(job: Job) -> bool:
    return job.composed.media[0].kind is MediaKind.IMAGE


def _profile(settings: TiktokSettings) -> Profile:
    """A draft waits for a person, for hours perhaps; nothing public comes of what we do ourselves."""
    is_direct = settings.mode == "direct"
    upload = StepClass.HANDLE if is_direct else StepClass.INVISIBLE
    return Profile(
        adapter="tiktok",
        operator="tiktok",
        country="SG",
        login=f"tiktok app {settings.client_key}",
        hosts=(host_of(settings.base_url),),
        steps=(Step("init", StepClass.INVISIBLE), Step("upload", upload)),
        text=CAPTION,
        media=MEDIA,
        abilities=frozenset({Verb.PROBE, Verb.CONFIRM}) | ({Verb.FIND} if is_direct else set()),
        usual=timedelta(minutes=1 if is_direct else 5),
        pending_for=timedelta(hours=6 if is_direct else 24),
        max_in_flight=2,
        rate_per_s=0.1,
    ).adjusted(settings)
