"""YouTube's Data API v3: resumable uploads, videos that are worked on, quota buckets, and Google's token host apart.

Source: the API's discovery document (revision 20261104), YouTube's pages on resumable uploads, errors and quota cost,
Google's pages on OAuth 2.0, read 2026-11-28. That the uploads of unaudited projects stay private is documented policy.
"""

import hashlib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, ClassVar, Unpack
from zoneinfo import ZoneInfo

from aiohttp import web
from typing_extensions import override

from adapters.emulators.base import Common, hook
from adapters.emulators.consent import LANDED, Consents, challenge
from adapters.emulators.faults import BEHAVIOUR, SHAPED, Fault, Kind
from adapters.emulators.http import WIRE, Call, HttpEmulator, Refused, Route
from adapters.emulators.log import Post

_PIECES = 256 * 1024
_TITLE, _DESCRIPTION = 100, 5000
_RANGE = re.compile(r"bytes (\d+)-(\d+)/(\d+)")
_SESSION_LIFE = timedelta(days=7)
_PACIFIC = "America/Los_Angeles"
_COST = {"get": 1, "list": 1, "probe": 1, "edit": 50, "delete": 50}
_SCOPE = "https://www.googleapis.com/auth/youtube"


@dataclass(slots=True)
class Session:
    """One upload: what is to become a video, and how much of it has come."""

    snippet: dict[str, str]
    privacy: str
    total: int
    made_at: datetime
    received: int = 0
    digest: Any = field(default_factory=hashlib.sha256)
    video_id: str | None = None


@dataclass(slots=True)
class Quota:
    """The two buckets of a project, which begin anew at midnight in California."""

    day: str = ""
    used: dict[str, int] = field(default_factory=dict)


class YouTubeEmulator(HttpEmulator):
    """One channel. `audited`: else uploads stay private; `processed_after`: seconds until readers can play a video."""

    name = "youtube"
    hosts = ("api", "oauth")
    kinds = WIRE | (SHAPED - {Kind.POLICY}) | BEHAVIOUR
    errors: ClassVar[Mapping[Kind, tuple[int, str]]] = {
        Kind.SERVER_ERROR: (503, "backendError"),
        Kind.ERROR_IN_200: (200, "backendError"),
        Kind.THROTTLED: (403, "rateLimitExceeded"),
        Kind.LOGGED_OUT: (401, "authError"),
        Kind.EXPIRED: (401, "authError"),
        Kind.REVOKED: (401, "authError"),
        Kind.NO_PERMISSION: (403, "insufficientPermissions"),
        Kind.SUSPENDED: (403, "authenticatedUserAccountSuspended"),
    }

    def __init__(
        self,
        *,
        channel_id: str = "UCtin-vi-du",
        client_id: str = "7005.apps.example",
        client_secret: str = "client-secret",  # noqa: S107 - the emulator's own
        access_token: str = "youtube-access",  # noqa: S107 - the emulator's own
        refresh_token: str = "youtube-refresh",  # noqa: S107 - the emulator's own
        audited: bool = True,
        processed_after: float = 10.0,
        inserts: int = 100,
        units: int = 10_000,
        **common: Unpack[Common],
    ) -> None:
        self.consents = Consents(self)
        super().__init__(**common)
        self.channel_id, self.client_id, self.client_secret = channel_id, client_id, client_secret
        self.audited, self.processed_after = audited, timedelta(seconds=processed_after)
        self.limits = {"inserts": inserts, "units": units}
        self.channel_privacy = "public"
        self.access_tokens = {access_token: self.now() + timedelta(hours=1)}
        self.refresh_tokens = {refresh_token}
        self.sessions: dict[str, Session] = {}
        self.quota = Quota()

    @override
    def routes(self) -> Iterator[Route]:
        upload, videos = "/upload/youtube/v3/videos", "/youtube/v3/videos"
        yield Route("GET", "/o/oauth2/v2/auth", "consent", self._authorize, host="oauth")
        yield Route("GET", LANDED, "consent", self.consents.landed, host="oauth")
        yield Route("POST", "/token", "token", self._token, host="oauth")
        yield Route("POST", upload, "session", self._begin, writes=True, host="api")
        yield Route("PUT", upload, "status", self._status, host="api", fits=_asks)
        yield Route("PUT", upload, "upload", self._upload, writes=True, host="api")
        yield Route("GET", videos, "get", self._get, host="api")
        yield Route("PUT", videos, "edit", self._update, writes=True, host="api")
        yield Route("DELETE", videos, "delete", self._delete, writes=True, host="api")
        yield Route("GET", "/youtube/v3/playlistItems", "list", self._list, host="api")
        yield Route("GET", "/youtube/v3/channels", "probe", self._channels, host="api")

    @override
    def shape(self, fault: Fault, call: Call) -> web.Response:
        if call.step == "token":
            return web.json_response({"error": "invalid_grant", "error_description": "Bad Request"}, status=400)
        wait = {"Retry-After": str(int(fault.after or 30))} if fault.kind is Kind.THROTTLED else None
        return _error(*self.errors[fault.kind], headers=wait)

    @override
    def unknown_path(self, call: Call) -> web.Response:
        return _error(404, "notFound")

    @hook
    def end_access_tokens(self) -> None:
        """All access tokens are over, as after an hour; the refresh token stays good."""
        self.access_tokens = dict.fromkeys(self.access_tokens, self.now())

    @hook
    def revoke(self) -> None:
        """The owner takes the app's access away."""
        self.end_access_tokens()
        self.refresh_tokens.clear()

    @hook
    def set_privacy(self, video_id: str, privacy: str) -> None:
        """Somebody changes in the Studio who may see a video."""
        video = self._video(video_id)
        video.extra["privacy"], video.visible = privacy, privacy == "public"

    @hook
    def judge(self, video_id: str, upload_status: str, reason: str) -> None:
        """A verdict on a video: `rejected` or `failed`, for this reason. Readers cannot play it any more."""
        video = self._video(video_id)
        video.extra |= {"upload": upload_status, "reason": reason}
        video.visible = False

    @hook
    def end_sessions(self) -> None:
        """All upload sessions are over, as after a week."""
        self.sessions.clear()

    # -- tokens

    async def _authorize(self, call: Call) -> web.Response:
        if call.params.get("client_id") != self.client_id or _SCOPE not in call.params.get("scope", ""):
            raise Refused(web.json_response({"error": "invalid_client"}, status=401))
        code_challenge, access = call.params.get("code_challenge", ""), call.params.get("access_type", "online")
        return self.consents.page(call, "Tin Ví Dụ", challenge=code_challenge, access=access)

    async def _token(self, call: Call) -> web.Response:
        """An access token for an hour. The refresh token stays; a code brings one only if access is to be lasting."""
        if (call.params.get("client_id"), call.params.get("client_secret")) != (self.client_id, self.client_secret):
            raise Refused(web.json_response({"error": "invalid_client"}, status=401), "401 invalid_client")
        answer: dict[str, object] = {"expires_in": 3599, "scope": _SCOPE, "token_type": "Bearer"}
        if call.params.get("grant_type") == "authorization_code":
            answer |= self._first_token(call)
        elif call.params.get("refresh_token") not in self.refresh_tokens:
            raise _invalid_grant()
        self.note("token renewed")
        return web.json_response(answer | {"access_token": self._new_token()})

    def _first_token(self, call: Call) -> dict[str, object]:
        grant = self.consents.redeem(call)
        if grant is None or grant["challenge"] != challenge(call.params.get("code_verifier", "")):
            raise _invalid_grant()
        if grant["access"] != "offline":
            return {}
        refresh = f"1//{self.random.randbytes(16).hex()}"
        self.refresh_tokens.add(refresh)
        return {"refresh_token": refresh}

    def _new_token(self) -> str:
        token = f"ya29.{self.random.randbytes(16).hex()}"
        self.access_tokens[token] = self.now() + timedelta(hours=1)
        return token

    def _admit(self, call: Call, bucket: str = "units") -> None:
        """Token first, then quota: even a refused call costs a unit."""
        ends_at = self.access_tokens.get(call.bearer or "")
        if ends_at is None or self.now() >= ends_at:
            raise Refused(_error(401, "authError"), "401 authError")
        today = self.now().astimezone(ZoneInfo(_PACIFIC)).date().isoformat()
        if self.quota.day != today:
            self.quota = Quota(today)
        used = self.quota.used.get(bucket, 0) + _COST.get(call.step, 1)
        if used > self.limits[bucket]:
            raise Refused(_error(403, "quotaExceeded"), "403 quotaExceeded")
        self.quota.used[bucket] = used

    # -- uploads

    async def _begin(self, call: Call) -> web.Response:
        self._admit(call, "inserts")
        given = call.json if isinstance(call.json, dict) else {}
        snippet, status = _checked(given), given.get("status") or {}
        total = int(call.request.headers.get("X-Upload-Content-Length", "0"))
        if call.params.get("uploadType") != "resumable" or not total:
            raise _refused(400, "mediaBodyRequired")
        upload_id = self.random.randbytes(24).hex()
        self.sessions[upload_id] = Session(snippet, status.get("privacyStatus", "public"), total, self.now())
        location = f"{self.base_urls['api']}{call.request.path}?uploadType=resumable&upload_id={upload_id}"
        return web.Response(headers={"Location": location})

    async def _status(self, call: Call) -> web.Response:
        return self._progress(self._session(call))

    async def _upload(self, call: Call) -> web.Response:
        """One piece; the last one makes the video, and what comes after it is answered as the last one was."""
        session = self._session(call)
        if session.video_id:
            return self._progress(session)
        found = _RANGE.fullmatch(
            call.request.headers.get("Content-Range", f"bytes 0-{session.total - 1}/{session.total}")
        )
        start, end, total = (int(part) for part in found.groups()) if found else (-1, -1, -1)
        is_whole = len(call.body) == end - start + 1 and total == session.total
        if not is_whole or start > session.received or (end + 1 < total and len(call.body) % _PIECES):
            raise _refused(400, "badRequest")
        session.digest.update(call.body[session.received - start :])
        session.received = max(session.received, end + 1)
        if session.received == session.total:
            session.video_id = self._publish(session).id
        return self._progress(session)

    def _session(self, call: Call) -> Session:
        ends_at = self.access_tokens.get(call.bearer or "")
        if ends_at is None or self.now() >= ends_at:
            raise Refused(_error(401, "authError"), "401 authError")
        session = self.sessions.get(call.params.get("upload_id", ""))
        if session is None or self.now() >= session.made_at + _SESSION_LIFE:
            raise Refused(web.Response(status=404, text="Not Found"), "404 session")
        return session

    def _progress(self, session: Session) -> web.Response:
        if session.video_id is None:
            held = {"Range": f"bytes=0-{session.received - 1}"} if session.received else {}
            return web.Response(status=308, headers=held)
        taken = next((post for post in self.log.taken if post.id == session.video_id), None)
        shown = (
            self._shown(taken) if taken else {"id": session.video_id, "status": _status("uploaded", session.privacy)}
        )
        return web.json_response(shown, status=201)

    def _publish(self, session: Session) -> Post:
        """A video, which nobody can play before it is processed."""
        is_public = session.privacy == "public" and self.audited
        text = f"{session.snippet['title']}\n\n{session.snippet['description']}"
        video_id = self.random.randbytes(8).hex()[:11]
        post = self.take_in(video_id, text, self.channel_id, step="upload", visible=is_public, snippet=session.snippet)
        privacy = session.privacy if self.audited and post.visible else "private"
        post.extra |= {"privacy": privacy, "upload": "uploaded", "sha256": session.digest.hexdigest()}
        post.visible = False
        if self.faults.take(Kind.REFUSE_LATER, "upload"):
            post.extra |= {"upload": "rejected", "reason": "termsOfUse"}
        elif not self.faults.take(Kind.NEVER_FINISH, "upload"):
            self._process(post)
        return post

    def _process(self, post: Post) -> None:
        def finish() -> None:
            if post.extra["upload"] == "uploaded":
                post.extra["upload"] = "processed"
                post.visible = post.extra["privacy"] == "public"
                self.tell()

        if self.processed_after:
            self.later(self.processed_after.total_seconds(), finish)
        else:
            finish()

    # -- videos

    async def _get(self, call: Call) -> web.Response:
        self._admit(call)
        is_empty = self.faults.take(Kind.EMPTY_LIST, call.step)
        found = None if is_empty else self.find_post(call.params.get("id", ""))
        is_ours = found is not None and found.author == self.channel_id
        return web.json_response({"items": [self._shown(found)] if found and is_ours else []})

    async def _update(self, call: Call) -> web.Response:
        self._admit(call)
        given = call.json if isinstance(call.json, dict) else {}
        video = self._video(str(given.get("id")))
        snippet = _checked(given)
        video.text, video.edited_at = f"{snippet['title']}\n\n{snippet['description']}", self.now()
        video.extra["snippet"] = snippet
        return web.json_response(self._shown(video))

    async def _delete(self, call: Call) -> web.Response:
        self._admit(call)
        self.take_down(self._video(call.params.get("id", "")), by="owner")
        return web.Response(status=204)

    async def _list(self, call: Call) -> web.Response:
        self._admit(call)
        if call.params.get("playlistId") != self._playlist:
            raise _refused(404, "playlistNotFound")
        begin, size = int(call.params.get("pageToken", "0")), min(int(call.params.get("maxResults", "5")), 50)
        videos = [post for post in self.posts_now() if post.author == self.channel_id]
        rest = {"nextPageToken": str(begin + size)} if len(videos) > begin + size else {}
        return web.json_response({"items": [self._item(post) for post in videos[begin : begin + size]], **rest})

    async def _channels(self, call: Call) -> web.Response:
        self._admit(call)
        ours = {
            "id": self.channel_id,
            "snippet": {"title": "Tin Ví Dụ"},
            "status": {"privacyStatus": self.channel_privacy, "isLinked": True},
            "contentDetails": {"relatedPlaylists": {"uploads": self._playlist}},
        }
        return web.json_response({"items": [ours]})

    @property
    def _playlist(self) -> str:
        return f"UU{self.channel_id[2:]}"

    def _video(self, video_id: str) -> Post:
        video = self.find_post(video_id)
        if video is None or video.author != self.channel_id:
            raise _refused(404, "videoNotFound")
        return video

    def _shown(self, video: Post) -> dict[str, Any]:
        state = _status(video.extra.get("upload", "processed"), video.extra.get("privacy", "public"))
        if reason := video.extra.get("reason"):
            state["rejectionReason" if state["uploadStatus"] == "rejected" else "failureReason"] = reason
        return {"kind": "youtube#video", "id": video.id, "snippet": self._snippet(video), "status": state}

    def _item(self, video: Post) -> dict[str, Any]:
        privacy = video.extra.get("privacy", "public")
        details = {"videoId": video.id, "videoPublishedAt": _stamp(video.posted_at)}
        return {"snippet": self._snippet(video), "contentDetails": details, "status": {"privacyStatus": privacy}}

    def _snippet(self, video: Post) -> dict[str, Any]:
        title, _, description = video.text.partition("\n\n")
        words = video.extra.get("snippet", {"title": title, "description": description})
        return {**words, "publishedAt": _stamp(video.posted_at), "channelId": video.author}


def _asks(request: web.Request) -> bool:
    """Only how far an upload has come."""
    return request.headers.get("Content-Range", "").startswith("bytes */")


def _checked(given: Mapping[str, Any]) -> dict[str, Any]:
    snippet = given.get("snippet") or {}
    title, description = str(snippet.get("title") or ""), str(snippet.get("description") or "")
    if not 0 < len(title) <= _TITLE or "<" in title or ">" in title:
        raise _refused(400, "invalidTitle")
    if len(description.encode()) > _DESCRIPTION or "<" in description or ">" in description:
        raise _refused(400, "invalidDescription")
    if not str(snippet.get("categoryId") or "").isdigit():
        raise _refused(400, "invalidCategoryId")
    return {**snippet, "title": title, "description": description}


def _status(upload: str, privacy: str) -> dict[str, Any]:
    return {"uploadStatus": upload, "privacyStatus": privacy, "license": "youtube", "embeddable": True}


def _stamp(at: datetime) -> str:
    return at.strftime("%Y-%m-%dT%H:%M:%SZ")


def _error(status: int, reason: str, headers: Mapping[str, str] | None = None) -> web.Response:
    one = {"message": reason, "domain": "youtube.quota" if reason == "quotaExceeded" else "global", "reason": reason}
    code = 503 if status == 200 else status
    return web.json_response(
        {"error": {"code": code, "message": reason, "errors": [one]}}, status=status, headers=headers
    )


def _refused(status: int, reason: str) -> Refused:
    return Refused(_error(status, reason), f"{status} {reason}")


def _invalid_grant() -> Refused:
    return Refused(web.json_response({"error": "invalid_grant"}, status=400), "400 invalid_grant")
