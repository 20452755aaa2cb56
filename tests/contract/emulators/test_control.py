"""The control port, and emulators as a process of their own."""

import asyncio
import json
import signal
import sys

import pytest

from adapters.emulators.control import ControlClient, ControlError, Sandbox
from adapters.emulators.facebook import FacebookEmulator
from adapters.emulators.faults import Kind
from adapters.emulators.threads import ThreadsEmulator
from tests.contract.emulators.browser import TEXT, Browser


async def test_the_control_port_steers_and_reports(session):
    emulators = [FacebookEmulator(lag=(0, 0)), ThreadsEmulator()]
    async with Sandbox(emulators) as sandbox, ControlClient(sandbox.control_url) as control:
        platforms = await control.platforms()
        assert sorted(platforms["threads"]["base_urls"]) == ["com", "net"]
        page = Browser(session, sandbox.emulators["facebook"], "page-token")
        assert await control.health()
        post_id = (await page.post())[1]["id"]
        await control.fail("facebook", "html_500", step="publish", times=1)
        assert [fault.kind for fault in await control.faults("facebook")] == [Kind.HTML_500]
        assert (await page.post("second"))[0] == 500
        await control.hook("facebook", "remove_post", post_id=post_id)
        await control.heal("facebook")
        log = await control.until("facebook", lambda log: not log.visible)
        assert [(post.text, post.removed_by) for post in log.posts] == [(TEXT, "platform")]
        assert (await control.hook("threads", "issue_token", hours_old=48)).startswith("THAA")


async def test_the_control_port_says_what_is_wrong():
    async with Sandbox([FacebookEmulator()]) as sandbox, ControlClient(sandbox.control_url) as control:
        for attempt, hint in [
            (control.log("myspace"), "choose from facebook"),
            (control.fail("facebook", "rain"), "choose one of refused"),
            (control.fail("facebook", "stall", step=5), "a string or null"),
            (control.hook("facebook", "dance"), "add_page, grant_only, plant_post, reach_at, remove_post"),
            (control.hook("facebook", "remove_post", id="1"), r"remove_post\(post_id: str\)"),
            (control.hook("facebook", "remove_post", post_id="1"), "no post '1' is up"),
            (control.hook("facebook", "reach_at", host="web", url="http://127.0.0.1:1"), "no host 'web'"),
        ]:
            with pytest.raises(ControlError, match=hint):
                await attempt


async def test_emulators_run_as_a_process_of_their_own(session):
    command = [sys.executable, "-m", "adapters.emulators", "facebook", "--options", '{"facebook": {"page_id": "77"}}']
    process = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE)
    assert process.stdout is not None
    try:
        started = json.loads(await asyncio.wait_for(process.stdout.readline(), 20))
        url = started["platforms"]["facebook"]["base_urls"]["api"]
        async with session.get(f"{url}/v25.0/me", params={"access_token": "page-token"}) as response:
            assert (await response.json())["id"] == "77"
        async with ControlClient(started["control"]) as control:
            assert [request.verdict for request in (await control.log("facebook")).requests] == ["200"]
    finally:
        process.send_signal(signal.SIGTERM)
    assert await asyncio.wait_for(process.wait(), 10) == 0
