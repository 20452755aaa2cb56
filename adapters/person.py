"""A person posts by hand: the text goes to the duty phone, and counts as live once somebody says where it can be seen.

For accounts that no program may post to yet, and for platforms that offer programs nothing. The hand-over goes by any
channel of people: a bot's chat, a webhook, mail. It may arrive twice, which the message says, and never counts itself.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import timedelta
from typing import Annotated, Any, ClassVar

from pydantic import BeforeValidator, Field, ValidationError

from adapters.smtp import SmtpAdapter
from adapters.telegram import TelegramAdapter
from adapters.webhook import WebhookAdapter, WebhookSettings
from broker.contract import Adapter, AdapterBase, ChannelSettings, Job, MediaNeeds, Profile, Step, TextLimit, Tools
from broker.model import Composed, MediaKind, Medium, Post, StepClass, Verb
from broker.outcome import Denied, Fault, Live, Outcome, Pending, Unavailable, Uncertain
from broker.rules.media import chosen
from broker.rules.text import compose_text

_WAYS: dict[str, Any] = {"smtp": SmtpAdapter, "telegram": TelegramAdapter, "webhook": WebhookAdapter}
_FOR_THE_WAY = "phone."
_ASKS = {
    "vi": "Đăng tin dưới đây lên {platform} bằng tay. Đăng xong, báo địa chỉ bài: {where}. Nhận hai lần, đăng một lần.",
    "en": "Post the text below on {platform} by hand. Then say where it is: {where}. If this comes twice, post once.",
}
_WITH = {"vi": "Kèm theo:", "en": "With:"}


def _way(value: object) -> ChannelSettings:
    """The settings of the channel to the person, read by its own adapter's model."""
    if isinstance(value, ChannelSettings):
        return value
    name = value.get("adapter") if isinstance(value, dict) else None
    if name not in _WAYS:
        raise ValueError(f'write via = {{ adapter = "…", … }} with one of {", ".join(_WAYS)} and its settings')
    try:
        settings: ChannelSettings = _WAYS[name].Settings.model_validate(value)
    except ValidationError as error:
        said = (f"{'.'.join(map(str, one['loc']))}: {one['msg']}" for one in error.errors(include_input=False))
        raise ValueError("; ".join(said)) from None
    return settings


class PersonSettings(ChannelSettings):
    """`[channels.NAME]` of somebody who posts by hand."""

    platform: str = Field(min_length=1)
    """Where they post, as they call it."""
    operator: str = Field(min_length=1)
    """The company behind that platform: what readers are reached through."""
    country: str = Field(pattern=r"^[A-Z]{2}$")
    via: Annotated[ChannelSettings, BeforeValidator(_way)]
    """How they are reached: the settings of a smtp, telegram or webhook channel."""
    base_url: str | None = None
    """A chat's incoming hook in place of `via`: an emulator."""
    picture: bool = False
    """The platform shows nothing without a picture: an announcement that has none comes with its headline card."""
    desk_url: str | None = Field(default=None, pattern=r"^https?://\S+$")
    """The desk's pages, as people open them: `https://loa.tin.example/desk`."""
    text_limit: int | None = Field(default=None, ge=100)
    """Most characters the platform takes."""

    @property
    def way(self) -> tuple[type[Adapter], ChannelSettings]:
        if self.base_url:
            hook = {"url": self.base_url, "form": "chat", "allow_http": True, "allow_private": True}
            return WebhookAdapter, WebhookSettings.model_validate(hook | self._patience())
        return _WAYS[self.via.adapter], self.via

    def _patience(self) -> dict[str, object]:
        return {"total_timeout": self.total_timeout, "connect_timeout": self.connect_timeout}


class PersonAdapter(AdapterBase):
    """Hands texts to one phone."""

    Settings: ClassVar[type[ChannelSettings]] = PersonSettings

    def __init__(self, settings: PersonSettings, tools: Tools) -> None:
        self._settings, self._tools = settings, tools
        adapter, way = settings.way
        self._way = adapter(way, tools)
        self._limit = TextLimit(settings.text_limit) if settings.text_limit else None
        self.profile = _profile(settings, self._way.profile, self._limit)

    def compose(self, post: Post) -> Composed:
        """What readers are to see; in its parts, the message to the phone."""
        shown = replace(compose_text(post, self._limit), media=chosen(post, self.profile.media))
        message = "\n\n".join([self._ask(post), *self._with(post, shown.media), shown.text])
        sent = self._way.compose(replace(post, override=message, link=None, short_link=None, late_mark=None))
        parts = {"": sent.text, **sent.parts}
        cut = shown.cut or (f"for the phone: {sent.cut}" if sent.cut else None)
        return replace(shown, parts={f"{_FOR_THE_WAY}{name}": part for name, part in parts.items()}, cut=cut)

    async def publish(self, job: Job) -> Outcome:
        for medium in job.composed.media:
            if self._tools.media:
                await self._tools.media.ready(medium, self.profile.media)  # a card is made now, to be there when opened
        parts = {name.removeprefix(_FOR_THE_WAY): part for name, part in job.composed.parts.items()}
        message = Composed(text=parts.pop(""), parts=parts)
        match await self._way.publish(replace(job, composed=message)):
            case Live(message_id):
                return Pending(message_id, self.profile.pending_for)
            case outcome:
                return _of_the_way(outcome)

    async def probe(self) -> Outcome:
        """Whether the way to the phone works; nobody asks how the person is."""
        return _of_the_way(await self._way.probe())

    async def close(self) -> None:
        await self._way.close()

    def _with(self, post: Post, media: Iterable[Medium]) -> list[str]:
        """Where the pictures and videos are found."""
        addresses = [address for m in media if self._tools.media and (address := self._tools.media.address(m))]
        return ["\n".join([_WITH["vi" if post.language == "vi" else "en"], *addresses])] if addresses else []

    def _ask(self, post: Post) -> str:
        desk = self._settings.desk_url
        page = f"{desk.rstrip('/')}/announcements/{post.reference}" if desk else None
        command = f"loa resolve {post.reference} {self._tools.channel} live --url …"
        ask = _ASKS["vi" if post.language == "vi" else "en"]
        return ask.format(platform=self._settings.platform, where=page or command)


def _of_the_way(outcome: Any) -> Outcome:
    """Nothing public comes of a hand-over, and its failure says nothing about the platform or our account there."""
    match outcome:
        case Unavailable(_, detail) | Uncertain(_, detail) | Denied(detail):
            return Unavailable(Fault.WAY, f"the way to the duty phone: {detail}")
        case _:
            return outcome  # type: ignore[no-any-return]  # another Outcome; adapters answer nothing else here


def _profile(settings: PersonSettings, way: Profile, limit: TextLimit | None) -> Profile:
    """The platform's operator, reached over the way's hosts: either may be known to be down."""
    return Profile(
        adapter="person",
        operator=settings.operator,
        country=settings.country,
        login=way.login,
        hosts=way.hosts,
        path=way.path,
        push=True,
        steps=(Step("hand", StepClass.INVISIBLE),),
        media=MediaNeeds(images=10, videos=10, mixed=True, card=MediaKind.IMAGE if settings.picture else None),
        text=limit,
        abilities=frozenset({Verb.PROBE}),
        usual=timedelta(minutes=5),
        look_back=None,
        max_in_flight=way.max_in_flight,
        rate_per_s=way.rate_per_s,
    ).adjusted(settings)
