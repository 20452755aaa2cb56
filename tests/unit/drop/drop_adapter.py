"""A third party's adapter: announcements as files in a folder, for tests of how adapters are found and configured."""

from pathlib import Path

from pydantic import SecretStr, model_validator

from broker.contract import AdapterBase, ChannelSettings, Job, Profile, Step, TextLimit, Tools
from broker.model import Composed, Post, StepClass
from broker.outcome import Live, Outcome
from broker.rules.text import compose_text


class DropSettings(ChannelSettings):
    folder: Path
    token: SecretStr = SecretStr("")
    number: str = ""
    copies: int = 1

    @model_validator(mode="after")
    def _is_no_root(self) -> "DropSettings":
        if self.folder == Path("/"):
            raise ValueError("folder: choose one of your own")
        return self


class DropAdapter(AdapterBase):
    Settings = DropSettings

    def __init__(self, settings: DropSettings, tools: Tools) -> None:
        if settings.copies > 9:
            raise ValueError("copies: the disk is too small for more than nine")
        if settings.copies == 0:
            tools.clock.now()
        self.folder = settings.folder
        steps = (Step("write", StepClass.KEYED),)
        profile = Profile(adapter="drop", operator=tools.channel, country="VN", steps=steps, text=TextLimit(500))
        self.profile = profile.adjusted(settings)

    def compose(self, post: Post) -> Composed:
        return compose_text(post, self.profile.text)

    async def publish(self, job: Job) -> Outcome:
        job.gate.enter()
        (self.folder / job.key).write_text(job.composed.text, encoding="utf-8")
        return Live(job.key)

    async def probe(self) -> Outcome:
        return Live(str(self.folder))
