"""Videos of one YouTube channel, in two steps: an upload session that nobody sees, then the bytes, of which the last
one publishes; YouTube then works on the video for some minutes until readers can play it.

Source: as in `adapters._youtube`. Text alone cannot be posted: urgent news gets a short video of its headline where
the channel allows it. What an answer left open is decided by the session, by the video's id, and last by the list.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any, ClassVar

from adapters._http import host_of
from adapters._readback import Page, search, window
from adapters._youtube import GONE, Refusal, YouTubeApi, YouTubeSettings
from adapters._youtube_account import Channel, YouTubeConnector, channel, uploads_page
from adapters._youtube_uploads import Uploads, is_gone
from adapters._youtube_videos import DESCRIPTION, MEDIA, compose, edited, encode, rehearsal, standing
from broker.contract import AdapterBase, ChannelSettings, Job, MediaFile, Profile, Step, Tools
from broker.model import Composed, Post, StepClass, Verb
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
    Unavailable,
    Uncertain,
    Unfinished,
)

NOW = timedelta(0)
_FIRST_CHECK, _LAST_CHECK = timedelta(seconds=5), timedelta(minutes=2)
_VIDEOS = "/youtube/v3/videos"
LOST = "YouTube does not know the upload session of this video any more"

PROFILE = Profile(
    adapter="youtube",
    operator="google",
    country="US",
    steps=(Step("session", StepClass.INVISIBLE), Step("upload", StepClass.HANDLE)),
    text=DESCRIPTION,
    media=MEDIA,
    abilities=frozenset({Verb.PROBE, Verb.CONFIRM, Verb.FIND, Verb.EDIT, Verb.DELETE, Verb.REHEARSE}),
    usual=timedelta(minutes=1),
    pending_for=timedelta(hours=3),
    probe_every=timedelta(minutes=10),
    max_in_flight=2,
    rate_per_s=1.0,
)


class YouTubeAdapter(AdapterBase):
    """One channel."""

    Settings: ClassVar[type[ChannelSettings]] = YouTubeSettings

    def __init__(self, settings: YouTubeSettings, tools: Tools) -> None:
        self._settings, self._tools = settings, tools
        hosts = (host_of(settings.base_url), host_of(settings.oauth_url))
        self.profile = replace(PROFILE, login=f"google app {settings.client_id}", hosts=hosts).adjusted(settings)
        self._api = YouTubeApi(settings, tools, self.profile)
        self._uploads = Uploads(self._api)
        self.connector = YouTubeConnector(settings, tools, self._api)

    def compose(self, post: Post) -> Composed:
        return compose(post, self._settings.card_video)

    async def publish(self, job: Job) -> Outcome | Absent:
        known = await self._known(job) if job.handle else 0
        if not isinstance(known, int):
            return _as_answer(known)
        file = await self._file(job)
        if not isinstance(file, MediaFile):
            return file
        if job.handle is None:
            made = await self._begun(job, file)
            if isinstance(made, Refusal):
                return made.outcome
            await job.keep(made)
        return await self._sent(job, f"{job.handle}", file, known)

    async def confirm(self, job: Job) -> Finding:
        return await self.find(job)

    async def find(self, job: Job) -> Finding:
        """Without a session nothing can have been uploaded."""
        if job.count:
            return await self._listed(job)
        if job.platform_id:
            return await self._still_shown(job, job.platform_id)
        if job.handle is None:
            return Absent()
        known = await self._known(job)
        return Unfinished(job.handle, NOW) if isinstance(known, int) else known

    async def edit(self, job: Job) -> Outcome:
        shown = await self._video(f"{job.platform_id}", "snippet")
        if not isinstance(shown, dict):
            return shown or Rejected("videoNotFound", "YouTube knows no such video")
        video = {"id": job.platform_id, "snippet": edited(shown.get("snippet", {}), job.composed)}
        reply = await self._api.call("PUT", _VIDEOS, gate=job.gate, params={"part": "snippet"}, json_body=video)
        if isinstance(reply, Refusal):
            return reply.outcome
        match reply.json():
            case {"id": str(video_id)}:
                return Live(video_id, job.url)
            case _:
                return Uncertain(Fault.SERVER, "an answer to an edit that nobody can read")

    async def delete(self, job: Job) -> Finding:
        video_id = f"{job.platform_id}"
        reply = await self._api.call("DELETE", _VIDEOS, gate=job.gate, params={"id": video_id})
        if isinstance(reply, Refusal) and reply.status not in GONE:
            return reply.outcome
        if reply.status not in GONE | {204}:
            return Uncertain(Fault.SERVER, "an answer to a deletion that nobody can read")
        match await self._shown(video_id, _FIRST_CHECK):
            case None:
                return Absent()
            case Live() | Pending() | Hidden() | Rejected():
                return Uncertain(Fault.SERVER, "YouTube took the deletion and still has the video")
            case unanswered:
                return unanswered

    async def probe(self) -> Outcome:
        found = await channel(self._api, self._settings.channel_id)
        return Live(found.id) if isinstance(found, Channel) else found

    async def rehearse(self) -> Outcome:
        """A session for a private video of which no byte is sent; it ends by itself after a week."""
        made = await self._uploads.begin(rehearsal(self._settings.category, self._tools.clock.now()), 1024, None)
        return made.outcome if isinstance(made, Refusal) else Live("session")

    async def _file(self, job: Job) -> MediaFile | Outcome:
        if not (job.composed.media and self._tools.media):
            return Rejected("no_video", "there is no video to upload: add one, and give the agency a media folder")
        return await self._tools.media.ready(job.composed.media[0], MEDIA)

    async def _begun(self, job: Job, file: MediaFile) -> str | Refusal:
        video, notify = encode(job.composed, self._settings.category), self._settings.notify_subscribers
        return await self._uploads.begin(video, file.size_bytes, job.gate, notify=notify)

    async def _sent(self, job: Job, handle: str, file: MediaFile, start: int) -> Outcome | Absent:
        """Piece after piece for as long as one call may take; what is left is sent by another attempt."""
        until = self._tools.clock.now() + self.profile.total_timeout
        while True:
            progress = await self._uploads.send(handle, file, start, job.gate)
            match progress:
                case Refusal() if is_gone(progress):
                    return Uncertain(Fault.SERVER, LOST)
                case Refusal(outcome):
                    return outcome
                case dict() as video:
                    return _as_answer(standing(video, _FIRST_CHECK), f"video {video['id']}")
                case received if received <= start:
                    return Unavailable(Fault.SERVER, "YouTube keeps nothing of what it is sent")
                case received if self._tools.clock.now() >= until:
                    return Unfinished(handle, NOW)
                case received:
                    start = received

    async def _known(self, job: Job) -> int | Finding:
        """What the handle proves; a number: nothing is public, and so many bytes of the video have arrived."""
        handle = f"{job.handle}"
        if handle.startswith("video "):
            return await self._worked_on(job, handle)
        match await self._uploads.progress(handle):
            case Refusal() as refusal if is_gone(refusal):
                return await self._listed(job)
            case Refusal() as refusal:
                return refusal.unanswered
            case dict() as video:
                return await self._worked_on(job, f"video {video['id']}")
            case received:
                return received

    async def _worked_on(self, job: Job, handle: str) -> Finding:
        """A video that is not live yet. Not to be seen by its id proves nothing so soon."""
        return await self._shown(handle.partition(" ")[2], self._wait(job)) or Pending(handle, self._wait(job))

    async def _still_shown(self, job: Job, video_id: str) -> Finding:
        """A live video again; gone only if the list misses it too, for an answer by id may come back empty."""
        match await self._shown(video_id, _FIRST_CHECK):
            case Rejected(_, detail):
                return Hidden(detail)
            case None:
                found = await self._listed(job)
                is_gone = isinstance(found, NotSeen) and found.back_to <= window(job) and found.neighbour is not False
                return Absent() if is_gone else found
            case found:
                return found

    async def _shown(self, video_id: str, waits: timedelta) -> Finding | None:
        """The video as our account reads it; None: YouTube shows none by this id."""
        found = await self._video(video_id, "status")
        return standing(found, waits) if isinstance(found, dict) else found

    async def _video(self, video_id: str, part: str) -> dict[str, Any] | Outcome | None:
        reply = await self._api.call("GET", _VIDEOS, params={"part": part, "id": video_id})
        if isinstance(reply, Refusal):
            return reply.unanswered
        match reply.json():
            case {"items": [dict() as video, *_]}:
                return video
            case {"items": []}:
                return None
            case _:
                return Unavailable(Fault.SERVER, "a video that nobody can read")

    async def _listed(self, job: Job) -> Finding:
        """Our video among the channel's uploads; the list does not tell whether readers can play it, its id does."""
        found = await search(job, self._turn, window(job))
        if not isinstance(found, Live):
            return found
        shown = await self._worked_on(job, f"video {found.platform_id}")
        return replace(shown, extra=found.extra) if isinstance(shown, Live) else shown

    async def _turn(self, after: str | None) -> Page | Outcome:
        playlist, _, token = (after or "").partition(" ")
        if not playlist:
            ours = await channel(self._api, self._settings.channel_id)
            if not isinstance(ours, Channel):
                return ours
            playlist = ours.uploads
        return await uploads_page(self._api, playlist, token)

    def _wait(self, job: Job) -> timedelta:
        """A quarter of the time it has taken so far."""
        return min(max((self._tools.clock.now() - job.started_at) / 4, _FIRST_CHECK), _LAST_CHECK)


def _as_answer(found: Finding, handle: str | None = None) -> Outcome | Absent:
    """What was found, as the answer to an attempt; `handle`: of a video that is there, readable or not."""
    match found:
        case Hidden(detail):
            return Denied(detail)
        case NotSeen():
            return Uncertain(Fault.SERVER, LOST)
        case Unavailable() if handle:
            return Pending(handle, _FIRST_CHECK)
        case answer:
            return answer
