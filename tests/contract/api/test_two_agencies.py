"""Two agencies do as they please, in an order a seed decides; neither ever meets anything of the other's."""

from __future__ import annotations

import random

import pytest

from tests.contract.api.newsroom import AGENCIES, BAO, FULL, NEWS, TIN, Newsroom

STEPS = 80
OTHER = {TIN: BAO, BAO: TIN}


class Desk:
    """One agency's desk, which also tries every id it can think of, its own or not."""

    def __init__(self, room: Newsroom, agency: str, rng: random.Random) -> None:
        self.room, self.agency, self.rng, self.key = room, agency, rng, FULL[agency]
        self.made: dict[str, str] = {}
        """External id by our id; both desks use the same external ids."""
        self.heard: list[bytes] = []

    async def announce(self, other: Desk) -> None:
        external = f"cms-{self.rng.randrange(20)}"
        key = {"Idempotency-Key": f"key-{self.rng.randrange(20)}"}
        body = {**NEWS, "route": "quick", "external_id": external, "headline": f"{self.agency} {external}"}
        answer = await self.room.post("/v1/announcements", body, key=self.key, headers=key)
        self.heard.append(answer.body)
        if answer.status == 202:
            self.made[answer.json["id"]] = answer.json["reference"]

    async def look(self, other: Desk) -> None:
        for path in ("/v1/announcements?limit=200", "/v1/channels", "/metrics"):
            self.heard.append((await self.room.get(path, key=self.key)).body)

    async def meddle(self, other: Desk) -> None:
        """Every call with an id of the other desk."""
        if not other.made:
            return
        any_id = self.rng.choice([*other.made, *other.made.values()])
        path = f"/v1/announcements/{any_id}"
        answers = [
            await self.room.get(path, key=self.key),
            await self.room.get(f"{path}/events", key=self.key),
            await self.room.get(f"{path}/events", key=self.key, headers={"Accept": "text/event-stream"}),
            await self.room.post(f"{path}/withdrawal", {"because": "theirs"}, key=self.key),
            await self.room.post(f"{path}/deliveries/partner/resolution", {"live": True}, key=self.key),
            await self.room.post("/v1/announcements", {**NEWS, "replaces": any_id}, key=self.key),
        ]
        assert [one.status for one in answers] == [404] * 5 + [422]

    async def work(self, other: Desk) -> None:
        if self.made:
            own = self.rng.choice([*self.made, *self.made.values()])
            self.heard.append((await self.room.get(f"/v1/announcements/{own}", key=self.key)).body)
            if self.rng.random() < 0.3:
                await self.room.post(f"/v1/announcements/{own}/withdrawal", key=self.key)
        channel = self.rng.choice(["partner", "portal"])
        await self.room.post(f"/v1/channels/{channel}/{self.rng.choice(['pause', 'resume'])}", key=self.key)


@pytest.mark.parametrize("seed", [1, 2])
async def test_nobody_meets_anything_of_the_other(room, seed):
    rng = random.Random(seed)
    desks = {agency: Desk(room, agency, rng) for agency in AGENCIES}
    for _ in range(STEPS):
        desk, other = rng.choice([(desks[TIN], desks[BAO]), (desks[BAO], desks[TIN])])
        await rng.choice([desk.announce, desk.announce, desk.look, desk.meddle, desk.work])(other)
    for agency, desk in desks.items():
        assert len(desk.made) > 5
        foreign = [AGENCIES[OTHER[agency]][1] + "-", f'agency="{OTHER[agency]}"', f"{OTHER[agency]} cms-"]
        heard = b"".join(desk.heard).decode()
        assert not [one for one in foreign if one in heard]
