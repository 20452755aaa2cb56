"""New cases: from a draft to an announcement, its route's plan, and one delivery with its text for each channel."""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Mapping

from broker.clock import Clock
from broker.contract import Unsuited
from broker.engine.engine import Engine
from broker.errors import FieldProblem, InvalidInput
from broker.ids import new_id, new_reference
from broker.intake import in_time
from broker.media.collection import Collection
from broker.model import (
    Announcement,
    Case,
    Composed,
    Delivery,
    Draft,
    Medium,
    Post,
    Reason,
    Role,
    RoutePlan,
    State,
    Urgency,
)
from broker.rules.agency import Agency
from broker.rules.cards import carded
from broker.rules.sentences import sentence


class Cases:
    """Makes them; nothing is stored here."""

    def __init__(
        self,
        engine: Engine,
        agencies: Mapping[str, Agency],
        collections: Mapping[str, Collection],
        short_links: Mapping[str, str],
        clock: Clock,
        rng: random.Random,
    ) -> None:
        self._engine, self._agencies, self._collections = engine, agencies, collections
        self._short_links, self._clock, self._rng = short_links, clock, rng
        self._plans: dict[tuple[str, str | None, Urgency], RoutePlan] = {}

    async def new(self, agency: str, draft: Draft, by: str | None) -> Case:
        """A case that can be accepted. Raises `InvalidInput` with field paths."""
        announcement = await self.announcement(agency, draft, by)
        deliveries = {
            name: self._delivery(announcement, name, role, serves, position)
            for position, (name, role, serves) in enumerate(roles(announcement.plan))
        }
        return Case(announcement, deliveries)

    async def announcement(self, agency: str, draft: Draft, by: str | None = None) -> Announcement:
        """The announcement with its plan and media, under an id and a reference of its own."""
        plan, media = self._plan(agency, draft), await self._media(agency, draft)
        now, collection = self._clock.now(), self._collections.get(agency)
        made = Announcement(
            id=new_id(now, self._rng),
            agency=agency,
            reference=new_reference(self._agencies[agency].prefix, self._rng),
            draft=draft,
            plan=plan,
            accepted_at=now,
            media=media,
            media_key=collection.new_key() if collection else "",
            accepted_from=by,
            owner=self._engine.run_id,
            epoch=1,
        )
        in_time(made)
        return made

    def post_of(self, announcement: Announcement, channel: str, late: bool) -> Post:
        """The post one channel composes from."""
        agency = self._agencies[announcement.agency]
        return _post_of(agency, announcement, channel, self._short_links.get(agency.key), late=late)

    def collection(self, agency: str) -> Collection:
        """Where the agency's pictures and videos are. Raises `InvalidInput` where it has none."""
        if found := self._collections.get(agency):
            return found
        problem = "there is no place for pictures and videos: give the agency a `site`, or set media.folder"
        raise InvalidInput("It was not taken in.", FieldProblem("media", problem))

    def _plan(self, agency: str, draft: Draft) -> RoutePlan:
        """The route's plan for it, the same for all that ask for the same. Raises `InvalidInput`."""
        asked = (agency, draft.route, draft.urgency)
        if (plan := self._plans.get(asked)) is None:
            plan = self._plans[asked] = self._agencies[agency].route_plan(draft.route, draft.urgency)
        if draft.overrides:
            _known_overrides(draft, plan)
        return plan

    async def _media(self, agency: str, draft: Draft) -> tuple[Medium, ...]:
        return await self.collection(agency).gather(draft.media, draft.alts) if draft.media else ()

    def _delivery(
        self, announcement: Announcement, name: str, role: Role, serves: tuple[str, ...], position: int
    ) -> Delivery:
        post = self.post_of(announcement, name, False)
        unsuited, first = None, role is Role.POST_TO
        try:
            composed = self._engine.stations.serving(announcement, name).adapter.compose(post)
        except Unsuited as error:
            composed, unsuited, first = Composed(text=""), Reason("unsuited", {"why": str(error)}), False
        except ValueError as error:
            raise InvalidInput(
                "The announcement was not accepted.", FieldProblem(f"overrides.{name}", str(error))
            ) from None
        return Delivery(
            announcement_id=announcement.id,
            channel=name,
            role=role,
            state=State.SKIPPED if unsuited else State.DUE if first else State.STANDBY,
            composed=composed,
            position=position,
            serves=serves,
            started_at=announcement.base_at if first else None,
            reason=unsuited or (Reason("start_post") if first else None),
        )


def roles(plan: RoutePlan) -> list[tuple[str, Role, tuple[str, ...]]]:
    """Every channel of the route once, with its role and the channels it may stand in for, in order of writing."""
    serves: dict[str, list[str]] = defaultdict(list)
    for channel, stand_ins in plan.stand_ins.items():
        for name in stand_ins:
            serves[name].append(channel)
    ordered = [(name, Role.POST_TO) for name in plan.post_to]
    ordered += [(name, Role.STAND_IN) for name in serves if name not in plan.post_to]
    taken = {name for name, _ in ordered}
    ordered += [(name, Role.RESERVE) for name in plan.reserve if name not in taken]
    return [(name, role, tuple(serves.get(name, ()))) for name, role in ordered]


def _post_of(
    agency: Agency, announcement: Announcement, channel: str, short_link_base: str | None, *, late: bool
) -> Post:
    draft, base = announcement.draft, short_link_base
    mark = sentence(Reason("live_late", {"written_at": announcement.base_at}), agency.zone) if late else None
    language = draft.language if draft.language in ("en", "vi") else "en"
    post = Post(
        announcement_id=announcement.id,
        reference=announcement.reference,
        headline=draft.headline,
        body=draft.body,
        agency=agency.name,
        language=draft.language,
        written_at=announcement.base_at,
        urgency=draft.urgency,
        author=draft.author,
        link=draft.link,
        short_link=f"{base.rstrip('/')}/{announcement.reference}" if base else None,
        override=draft.overrides.get(channel),
        late_mark=mark[language] if mark else None,
        media=announcement.media,
    )
    needs_card = announcement.media_key and agency.channels[channel].channel.profile.media.card
    return carded(post, announcement.media_key, agency.zone) if needs_card else post


def _known_overrides(draft: Draft, plan: RoutePlan) -> None:
    names = {name for name, _, _ in roles(plan)}
    wrong = [
        FieldProblem(
            f"overrides.{name}", f"is no channel of route {plan.name!r}: use one of {', '.join(sorted(names))}"
        )
        for name in draft.overrides
        if name not in names
    ]
    if wrong:
        raise InvalidInput("The announcement was not accepted.", *wrong)
