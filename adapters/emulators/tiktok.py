"""TikTok's Content Posting API v2 for one app and one account: drafts and direct posts, uploads on another host.

Source: TikTok's pages on direct posts, uploads, photos, media transfer, status, errors and OAuth, read 2026-11-22.
Assumed, since no page tells: the HTTP status of most refusals, the words of the upload host, that lists show photos.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import timedelta
from typing import Any, Unpack

from aiohttp import web
from typing_extensions import override

from adapters.emulators.base import Common, hook
from adapters.emulators.consent import LANDED, Consents
from adapters.emulators.faults import BEHAVIOUR, SHAPED, Fault, Kind
from adapters.emulators.http import WIRE, Call, HttpEmulator, Refused, Route
from adapters.emulators.log import Post
from adapters.emulators.publications import Publication, Used, fault_of

_CAPTION, _TITLE, _DESCRIPTION, _MOST_PHOTOS = 2200, 90, 4000, 35
_LISTED_TITLE = 150
_UPLOAD_LIFE, _MINUTE, _DAY = timedelta(hours=1), timedelta(minutes=1), timedelta(days=1)
_ACCESS_LIFE = timedelta(hours=24)
_EVERYBODY, _ONLY_ME = "PUBLIC_TO_EVERYONE", "SELF_ONLY"
_LIMITS = {"init": 6, "photo": 6, "creator": 20, "status": 30}
"""Calls a minute, by step."""
_RANGE = re.compile(r"bytes (\d+)-(\d+)/(\d+)")

WORDS: Mapping[Kind, tuple[int, str]] = {
    Kind.SERVER_ERROR: (500, "internal_error"),
    Kind.ERROR_IN_200: (200, "internal_error"),
    Kind.THROTTLED: (429, "rate_limit_exceeded"),
    Kind.LOGGED_OUT: (401, "access_token_invalid"),
    Kind.EXPIRED: (401, "access_token_invalid"),
    Kind.REVOKED: (401, "access_token_invalid"),
    Kind.NO_PERMISSION: (401, "scope_not_authorized"),
    Kind.POLICY: (403, "spam_risk_text"),
    Kind.SUSPENDED: (403, "spam_risk_user_banned_from_posting"),
}


class TiktokEmulator(HttpEmulator):
    """The API of one account.

    `audited`: whether the app may post for everybody. `private`: the account shows its posts to followers only.
    `ready_after`: seconds until a post is complete; `public_after`: seconds more until it has its public id.
    `counts_late`: what has arrived is told only once it is processed.
    `verified`: beginnings of addresses the app may let TikTok fetch from. `posts_a_day`, `drafts`: the account's caps.
    """

    name = "tiktok"
    hosts = ("api", "upload", "www")
    kinds = WIRE | SHAPED | BEHAVIOUR

    def __init__(
        self,
        *,
        client_key: str = "tiktok-app",
        client_secret: str = "tiktok-secret",  # noqa: S107 - the emulator's own
        access_token: str = "tiktok-access",  # noqa: S107 - the emulator's own
        refresh_token: str = "tiktok-refresh",  # noqa: S107 - the emulator's own
        audited: bool = True,
        private: bool = False,
        ready_after: float = 1.0,
        public_after: float = 0.0,
        counts_late: bool = False,
        verified: Sequence[str] = ("http://127.0.0.1:",),
        longest_s: int = 600,
        posts_a_day: int = 15,
        drafts: int = 5,
        calls_a_minute: Mapping[str, int] = _LIMITS,
        **common: Unpack[Common],
    ) -> None:
        self.consents = Consents(self)
        super().__init__(**common)
        self.client_key, self.client_secret, self.open_id = client_key, client_secret, "open-4402"
        self.audited, self.private = audited, private
        self.ready_after, self.public_after = timedelta(seconds=ready_after), timedelta(seconds=public_after)
        self.counts_late = counts_late
        self.verified, self.longest_s = tuple(verified), longest_s
        self.posts_a_day, self.drafts, self.calls_a_minute = posts_a_day, drafts, calls_a_minute
        self.access_tokens = {access_token: self.now() + _ACCESS_LIFE}
        self.refresh_tokens = {refresh_token: False}  # True: used
        self.publications: dict[str, Publication] = {}
        self._uploads: dict[str, str] = {}
        self._calls: dict[str, Used] = {}

    @override
    def routes(self) -> Iterator[Route]:
        yield Route("GET", "/v2/auth/authorize/", "consent", self._authorize, host="www")
        yield Route("GET", LANDED, "consent", self.consents.landed, host="www")
        yield Route("POST", "/v2/oauth/token/", "token", self._trade, host="api")
        yield Route("GET", "/v2/user/info/", "probe", self._person, host="api")
        publish = "/v2/post/publish"
        yield Route("POST", f"{publish}/creator_info/query/", "creator", self._creator, host="api")
        yield Route("POST", f"{publish}/video/init/", "init", self._direct_video, writes=True, host="api")
        yield Route("POST", f"{publish}/inbox/video/init/", "init", self._draft_video, writes=True, host="api")
        yield Route("POST", f"{publish}/content/init/", "photo", self._photos, writes=True, host="api")
        yield Route("POST", f"{publish}/status/fetch/", "status", self._status, host="api")
        yield Route("PUT", "/video/{token}/", "upload", self._upload, writes=True, host="upload")
        yield Route("POST", "/v2/video/list/", "list", self._list, host="api")
        yield Route("POST", "/v2/video/query/", "get", self._query, host="api")

    @override
    def shape(self, fault: Fault, call: Call) -> web.Response:
        status, code = WORDS[fault.kind]
        if call.step == "token" and fault.kind in (Kind.LOGGED_OUT, Kind.EXPIRED, Kind.REVOKED):
            return _oauth("invalid_grant")
        return self._answer(status, code)

    @override
    def unknown_path(self, call: Call) -> web.Response:
        return self._answer(404, "invalid_request")

    @override
    def verdict(self, call: Call, response: web.StreamResponse) -> str:
        return str(response.status)

    # -- hooks

    @hook
    def tap(self, publish_id: str, text: str = "", privacy: str = _EVERYBODY) -> None:
        """The account's owner opens a draft in the app and posts it, with this text or the one that came with it."""
        draft = self.publications.get(publish_id)
        if draft is None or draft.is_direct or draft.post or draft.status(self.now()) != "SEND_TO_USER_INBOX":
            raise LookupError(f"no draft {publish_id!r} waits in the inbox")
        draft.text, draft.title, draft.privacy = text or draft.text, text or draft.title, privacy
        self._publish(draft, "upload", how="inbox")

    @hook
    def end_access_tokens(self) -> None:
        """All access tokens are over, as after 24 hours; refresh tokens stay good."""
        self.access_tokens = dict.fromkeys(self.access_tokens, self.now())

    @hook
    def revoke(self) -> None:
        """The account takes the app's rights away: no token is good any more."""
        self.end_access_tokens()
        self.refresh_tokens = dict.fromkeys(self.refresh_tokens, True)

    @hook
    def grant(self) -> dict[str, Any]:
        """A new consent of the account: a new pair of tokens."""
        return self._new_pair()

    # -- tokens

    async def _authorize(self, call: Call) -> web.Response:
        if call.params.get("client_key") != self.client_key or call.params.get("response_type") != "code":
            return web.Response(status=400, text="client_key")
        return self.consents.page(call, "@tinvidu", {"scopes": call.params.get("scope", "")})

    async def _trade(self, call: Call) -> web.Response:
        given = call.params.get("client_key"), call.params.get("client_secret")
        if given != (self.client_key, self.client_secret):
            return _oauth("invalid_client", status=401)
        if call.params.get("grant_type") == "authorization_code":
            is_good = self.consents.redeem(call) is not None
        else:
            is_good = self._burn(call.params.get("refresh_token", ""))
        return web.json_response(self._new_pair()) if is_good else _oauth("invalid_grant")

    def _burn(self, token: str) -> bool:
        if self.refresh_tokens.get(token, True):
            self.note("refresh token refused", "used before" if token in self.refresh_tokens else "unknown")
            return False
        self.refresh_tokens[token] = True
        self.note("token renewed")
        return True

    def _new_pair(self) -> dict[str, Any]:
        access, refresh = (f"{kind}.{self.random.randbytes(12).hex()}" for kind in ("act", "rft"))
        self.access_tokens[access] = self.now() + _ACCESS_LIFE
        self.refresh_tokens[refresh] = False
        return {
            "access_token": access,
            "expires_in": int(_ACCESS_LIFE.total_seconds()),
            "refresh_token": refresh,
            "refresh_expires_in": 31_536_000,
            "open_id": self.open_id,
            "scope": "user.info.basic,video.publish,video.upload,video.list",
            "token_type": "Bearer",
        }

    def _authorise(self, call: Call) -> None:
        ends_at = self.access_tokens.get(call.bearer or "")
        if ends_at is None or self.now() >= ends_at:
            raise self._refused("access_token_invalid", 401)
        if limit := self.calls_a_minute.get(call.step):
            used = self._calls.setdefault(call.step, Used())
            if used.count(self.now(), _MINUTE) >= limit:
                raise self._refused("rate_limit_exceeded", 429)
            used.times.append(self.now())

    # -- publishing

    async def _person(self, call: Call) -> web.Response:
        self._authorise(call)
        known = {"open_id": self.open_id, "display_name": "Tin Ví Dụ"}
        wanted = call.params.get("fields", "").split(",")
        return self._good({"user": {name: known[name] for name in wanted if name in known}})

    async def _creator(self, call: Call) -> web.Response:
        self._authorise(call)
        others = ["FOLLOWER_OF_CREATOR", "MUTUAL_FOLLOW_FRIENDS", _ONLY_ME]
        creator = {
            "creator_username": "tinvidu",
            "creator_nickname": "Tin Ví Dụ",
            "privacy_level_options": others if self.private else [_EVERYBODY, *others[1:]],
            "comment_disabled": False,
            "duet_disabled": True,
            "stitch_disabled": False,
            "max_video_post_duration_sec": self.longest_s,
        }
        return self._good(creator)

    async def _direct_video(self, call: Call) -> web.Response:
        self._authorise(call)
        info = self._post_info(call, {"title": _CAPTION})
        self._count_post()
        return self._begin(call, Publication(info["title"], info["title"], True, info["privacy_level"], self.now()))

    async def _draft_video(self, call: Call) -> web.Response:
        """A draft has no text: the person writes it."""
        self._authorise(call)
        self._count_draft()
        return self._begin(call, Publication("", "", False, _ONLY_ME, self.now()))

    def _begin(self, call: Call, made: Publication) -> web.Response:
        source = self._object(call, "source_info")
        if source.get("source") != "FILE_UPLOAD":
            raise self._refused("invalid_param")
        made.size, made.piece, made.pieces = (
            int(source.get(name, 0)) for name in ("video_size", "chunk_size", "total_chunk_count")
        )
        if not made.has_sound_pieces:
            raise self._refused("invalid_params")
        publish_id, upload_id = f"v_pub_file~v2-1.{self.digits(18)}", self.random.randbytes(9).hex()
        self.publications[publish_id], self._uploads[upload_id] = made, publish_id
        url = f"{self.base_urls['upload']}/video/{upload_id}/"
        return self._good({"publish_id": publish_id, "upload_url": url})

    async def _photos(self, call: Call) -> web.Response:
        self._authorise(call)
        if call.params.get("media_type") != "PHOTO":
            raise self._refused("invalid_params")
        is_direct = call.params.get("post_mode") == "DIRECT_POST"
        info = self._post_info(call, {"title": _TITLE, "description": _DESCRIPTION}, is_direct=is_direct)
        urls = self._object(call, "source_info").get("photo_images", [])
        if not 1 <= len(urls) <= _MOST_PHOTOS:
            raise self._refused("invalid_params")
        if not all(url.startswith(self.verified) for url in urls):
            raise self._refused("url_ownership_unverified", 403)
        self._count_post() if is_direct else self._count_draft()
        text = "\n\n".join(filter(None, (info.get("title"), info.get("description"))))
        made = Publication(text, info.get("title", ""), is_direct, info.get("privacy_level", _ONLY_ME), self.now())
        made.fail_reason = await fault_of(urls)
        publish_id = f"p_pub_url~v2.{self.digits(18)}"
        self.publications[publish_id] = made
        self._take(made, call.step)
        return self._good({"publish_id": publish_id})

    async def _upload(self, call: Call) -> web.Response:
        """201 for the last piece, 206 for others; pieces come in order, and each once."""
        made = self.publications.get(self._uploads.get(call.match["token"], ""))
        if made is None or made.arrived == made.size:
            return web.Response(status=404)
        if self.now() >= made.created_at + _UPLOAD_LIFE:
            return web.Response(status=403)
        found = _RANGE.fullmatch(call.request.headers.get("Content-Range", ""))
        if found is None or call.request.content_type not in ("video/mp4", "video/quicktime", "video/webm"):
            return web.Response(status=400)
        first, last, total = (int(number) for number in found.groups())
        wanted = made.next_end
        if (first, last + 1, total) != (made.arrived, wanted, made.size) or len(call.body) != last + 1 - first:
            return web.Response(status=416)
        made.arrived = wanted
        if wanted < made.size:
            return web.Response(status=206)
        if first == 0 and call.body[4:8] != b"ftyp":
            made.fail_reason = "file_format_check_failed"
        self._take(made, call.step)
        return web.Response(status=201)

    def _take(self, made: Publication, step: str) -> None:
        """All of it is there: TikTok works on it, and shows it if it is to be shown by itself."""
        if self.faults.take(Kind.NEVER_FINISH, step):
            return
        made.ready_at = self.now() + self.ready_after
        if self.faults.take(Kind.REFUSE_LATER, step):
            made.fail_reason = made.fail_reason or "spam_risk"
        if made.is_direct and made.fail_reason is None:
            self._publish(made, step)

    def _publish(self, made: Publication, step: str, how: str = "api") -> None:
        is_seen = made.privacy == _EVERYBODY and not self.private
        post_id = f"75{self.digits(17)}"
        made.post = self.take_in(
            post_id, made.text, self.open_id, step=step, visible=is_seen, how=how, title=made.title[:_LISTED_TITLE]
        )
        if made.ready_at and how == "api":
            shift = made.ready_at - self.now()
            made.post.posted_at, made.post.listed_at = made.post.posted_at + shift, made.post.listed_at + shift
        if not made.post.visible and is_seen:
            self.private = True  # who cannot be seen any more is told so when it asks

    def _post_info(self, call: Call, limits: Mapping[str, int], *, is_direct: bool = True) -> dict[str, str]:
        info = self._object(call, "post_info")
        if any(len(str(info.get(name, "")).encode("utf-16-le")) // 2 > most for name, most in limits.items()):
            raise self._refused("invalid_params")
        if is_direct and not self.audited and info.get("privacy_level") != _ONLY_ME:
            raise self._refused("unaudited_client_can_only_post_to_private_accounts", 403)
        if is_direct and self.private and info.get("privacy_level") == _EVERYBODY:
            raise self._refused("privacy_level_option_mismatch", 403)
        return {name: str(info.get(name, "")) for name in (*limits, "privacy_level")}

    def _object(self, call: Call, name: str) -> dict[str, Any]:
        found = call.json.get(name) if isinstance(call.json, dict) else None
        if not isinstance(found, dict):
            raise self._refused("invalid_params")
        return found

    def _count_post(self) -> None:
        made = self._calls.setdefault("posts", Used())
        if made.count(self.now(), _DAY) >= self.posts_a_day:
            raise self._refused("spam_risk_too_many_posts", 403)
        made.times.append(self.now())

    def _count_draft(self) -> None:
        since = self.now() - _DAY
        waiting = [one for one in self.publications.values() if not one.is_direct and not one.post]
        if sum(one.created_at > since for one in waiting) >= self.drafts:
            raise self._refused("spam_risk_too_many_pending_share", 403)

    # -- reading

    async def _status(self, call: Call) -> web.Response:
        self._authorise(call)
        made = self.publications.get(call.params.get("publish_id", ""))
        if made is None:
            raise self._refused("invalid_publish_id", 404)
        status = made.status(self.now())
        data: dict[str, Any] = {"status": status}
        if made.size:
            data["uploaded_bytes"] = 0 if self.counts_late and status == "PROCESSING_UPLOAD" else made.arrived
        if status == "FAILED":
            data["fail_reason"] = made.fail_reason
        is_told = made.post is not None and made.post.visible and self.now() >= made.post.posted_at + self.public_after
        if status == "PUBLISH_COMPLETE":
            data["publicaly_available_post_id"] = [int(made.post.id)] if made.post and is_told else []
        return self._good(data)

    async def _list(self, call: Call) -> web.Response:
        """Public posts only, newest first; the cursor is a time in milliseconds."""
        self._authorise(call)
        most = min(int(call.params.get("max_count", "10")), 20)
        before = int(call.params.get("cursor", "0"))
        posts = [post for post in self.posts_now() if post.visible and post.author == self.open_id]
        posts = [post for post in posts if not before or _ms(post) < before]
        shown = posts[:most]
        cursor = _ms(shown[-1]) if shown else 0
        lines = [self._line(call, post) for post in shown]
        return self._good({"videos": lines, "cursor": cursor, "has_more": len(posts) > most})

    async def _query(self, call: Call) -> web.Response:
        self._authorise(call)
        ids = self._object(call, "filters").get("video_ids", [])
        found = [self.find_post(str(one)) for one in ids[:20]]
        mine = [post for post in found if post and post.visible and post.author == self.open_id]
        return self._good({"videos": [self._line(call, post) for post in mine if self.now() >= post.posted_at]})

    def _line(self, call: Call, post: Post) -> dict[str, object]:
        known = {
            "id": post.id,
            "title": post.extra.get("title", post.text[:_LISTED_TITLE]),
            "create_time": int(post.posted_at.timestamp()),
            "share_url": f"https://www.tiktok.com/@tinvidu/video/{post.id}",
        }
        return {name: known[name] for name in call.params.get("fields", "id").split(",") if name in known}

    # -- answers

    def _good(self, data: Mapping[str, Any]) -> web.Response:
        return self._answer(200, "ok", data)

    def _answer(self, status: int, code: str, data: Mapping[str, Any] | None = None) -> web.Response:
        error = {"code": code, "message": "" if code == "ok" else f"{code}, said in words", "log_id": self.digits(20)}
        return web.json_response({"data": dict(data or {}), "error": error}, status=status)

    def _refused(self, code: str, status: int = 400) -> Refused:
        return Refused(self._answer(status, code), verdict=code)


def _ms(post: Post) -> int:
    return int(post.posted_at.timestamp() * 1000)


def _oauth(error: str, status: int = 200) -> web.Response:
    body = {"error": error, "error_description": "said in words", "log_id": "2026"}
    return web.json_response(body, status=status)
