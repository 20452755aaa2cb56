"""`loa send`, `preview`, `withdraw`, `resolve`: announcements, handed in and decided about."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Mapping
from typing import Annotated, Any
from uuid import uuid4

import typer

from broker.cli.attaching import Alt, Attached, Media, attached, with_media
from broker.cli.client import Client, read_key
from broker.cli.exits import Exit, Unwatched, told
from broker.cli.following import decided, finished_well, follow
from broker.cli.options import DEFAULT_URL, AnnouncementId, AsJson, ChannelName, Config, KeyFile, ServerUrl
from broker.cli.show import announcement, console, previews, print_json, whisper
from broker.cli.written import agency_time, overrides, read_text
from broker.errors import InvalidInput, LoaError

File = Annotated[
    str | None,
    typer.Argument(
        metavar="[FILE]",
        help="Headline in the first line, then the text; or JSON (*.json) as the HTTP API takes it. - reads stdin.",
    ),
]
Headline = Annotated[str | None, typer.Option("--headline", help="One line.")]
Body = Annotated[str | None, typer.Option("--body", help="The text.")]
Route = Annotated[str | None, typer.Option("--route", help="A route of the configuration; else `default`.")]
Urgent = Annotated[bool, typer.Option("--urgent", help="Goes before others; stand-ins start sooner.")]
Link = Annotated[str | None, typer.Option("--link", metavar="URL", help="The agency's own article.")]
Override = Annotated[
    list[str] | None,
    typer.Option("--override", metavar="CHANNEL=TEXT", help="The desk's own text for one channel; may be repeated."),
]
Author = Annotated[str | None, typer.Option("--author", help="Who wrote it.")]
Language = Annotated[str | None, typer.Option("--language", help="Of the text; Vietnamese (vi) unless said.")]
ExternalId = Annotated[str | None, typer.Option("--external-id", metavar="ID", help="The CMS's id: taken once.")]
SendAt = Annotated[
    str | None, typer.Option("--send-at", metavar="TIME", help="Such as 2026-11-22T10:00: the agency's time.")
]
ExpiresAt = Annotated[str | None, typer.Option("--expires-at", metavar="TIME", help="Nothing is posted after it.")]
Replaces = Annotated[str | None, typer.Option("--replaces", metavar="ID", help="Ends what of this one is unsent.")]
Key = Annotated[str | None, typer.Option("--idempotency-key", metavar="KEY", help="Taken once in 24 hours.")]
Wait = Annotated[bool, typer.Option("--wait", help="Follow until the goal is met; end with 1 if it is not.")]
Local = Annotated[bool, typer.Option("--local", help="Without a server: opens the store, stays until all is settled.")]
AgencyName = Annotated[str | None, typer.Option("--agency", help="With --local, if the configuration has several.")]


def send(
    file: File = None,
    headline: Headline = None,
    body: Body = None,
    route: Route = None,
    urgent: Urgent = False,
    link: Link = None,
    author: Author = None,
    language: Language = None,
    external_id: ExternalId = None,
    send_at: SendAt = None,
    expires_at: ExpiresAt = None,
    replaces: Replaces = None,
    override: Override = None,
    media: Media = None,
    alt: Alt = None,
    idempotency_key: Key = None,
    wait: Wait = False,
    local: Local = False,
    config: Config = None,
    agency: AgencyName = None,
    server: ServerUrl = DEFAULT_URL,
    key_file: KeyFile = None,
    as_json: AsJson = False,
) -> int:
    """Hand in an announcement. Ends as soon as it is accepted, unless told to --wait: from then on nothing loses it."""
    times = {"send_at": agency_time("--send-at", send_at), "expires_at": agency_time("--expires-at", expires_at)}
    words = _words(file, headline, body, route, urgent, link, override)
    rest = {"author": author, "language": language, "external_id": external_id, "replaces": replaces}
    said, shown = {**words, **_given({**rest, **times})}, attached(media, alt)
    if local:
        from broker.cli.local import send_here  # a whole broker: only where it is needed

        return send_here(said, shown, config, agency, idempotency_key, as_json)
    return asyncio.run(_send(said, shown, idempotency_key or str(uuid4()), wait, server, key_file, as_json))


async def _send(
    said: dict[str, Any], shown: Attached, key: str, wait: bool, server: str, key_file: KeyFile, as_json: bool
) -> int:
    async with Client(server, read_key(key_file, os.environ)) as client:
        report = await client.announce(await with_media(said, shown, client.upload), key)
        whisper(f"{report['reference']} is accepted: from now on nothing loses it.")
        if wait:
            report = await _watched(client, report, quiet=as_json)
    _print(report, as_json)
    return Exit.OK if not wait or finished_well(report) else Exit.NOT_REACHED


async def _watched(client: Client, report: dict[str, Any], *, quiet: bool) -> dict[str, Any]:
    """The report once the goal is decided. Whatever goes wrong from here on, nobody must send it again."""
    try:
        return dict(await follow(client, report["id"], decided, on=sys.stderr, quiet=quiet))
    except LoaError as error:
        reference = report["reference"]
        raise Unwatched(
            f"{told(error)} {reference} is accepted and not lost: do not send it again. "
            f"`loa status {reference} --follow` tells what becomes of it."
        ) from None


def preview(
    file: File = None,
    headline: Headline = None,
    body: Body = None,
    route: Route = None,
    urgent: Urgent = False,
    link: Link = None,
    override: Override = None,
    media: Media = None,
    alt: Alt = None,
    server: ServerUrl = DEFAULT_URL,
    key_file: KeyFile = None,
    as_json: AsJson = False,
) -> int:
    """Show what readers of every channel would see. Nothing is stored or sent."""
    said, shown = _words(file, headline, body, route, urgent, link, override), attached(media, alt)

    async def ask() -> list[dict[str, Any]]:
        async with Client(server, read_key(key_file, os.environ)) as client:
            return await client.preview(await with_media(said, shown, client.upload))

    found = asyncio.run(ask())
    if as_json:
        print_json(found)
    else:
        console().print(previews(found))
    return Exit.OK


def withdraw(
    announcement_id: AnnouncementId,
    because: Annotated[str | None, typer.Option(help="Why; shown to the desk, never posted.")] = None,
    server: ServerUrl = DEFAULT_URL,
    key_file: KeyFile = None,
    as_json: AsJson = False,
) -> int:
    """Take an announcement back: nothing more is sent, and what is live is deleted where the platform lets us."""

    async def act() -> dict[str, Any]:
        async with Client(server, read_key(key_file, os.environ)) as client:
            return await client.withdraw(announcement_id, because)

    _print(asyncio.run(act()), as_json)
    return Exit.OK


def resolve(
    announcement_id: AnnouncementId,
    channel: ChannelName,
    verdict: Annotated[
        str | None, typer.Argument(metavar="[VERDICT]", help="`live` or `not-live`: what you saw there.")
    ] = None,
    gone: Annotated[bool, typer.Option("--gone", help="Withdrawn, and not there (any more): ticks it off.")] = False,
    url: Annotated[str | None, typer.Option(metavar="URL", help="Where it can be seen.")] = None,
    send_again: Annotated[bool, typer.Option("--send-again", help="Not live: send it once more.")] = False,
    by: Annotated[str | None, typer.Option(help="Who says so; the key's name unless said.")] = None,
    server: ServerUrl = DEFAULT_URL,
    key_file: KeyFile = None,
    as_json: AsJson = False,
) -> int:
    """Say what became of a copy that nobody but a person can judge (state `unconfirmed`), or that one is --gone."""
    if gone == (verdict is not None) or verdict not in (None, "live", "not-live"):
        raise InvalidInput("What became of it? One of these: say `live` or `not-live`, or --gone.")
    said = _given({"live": verdict and verdict == "live", "url": url, "by": by})
    said |= {name: True for name, is_so in (("send_again", send_again), ("gone", gone)) if is_so}

    async def act() -> dict[str, Any]:
        async with Client(server, read_key(key_file, os.environ)) as client:
            return await client.resolve(announcement_id, channel, said)

    _print(asyncio.run(act()), as_json)
    return Exit.OK


def _words(
    file: str | None, headline: str | None, body: str | None, route: str | None, urgent: bool, link: str | None,
    override: list[str] | None,
) -> dict[str, Any]:  # fmt: skip
    """The announcement as the API takes it: the file's, with the options over it."""
    from_file = read_text(file, sys.stdin) if file else {}
    urgency = "urgent" if urgent else None
    options = {"headline": headline, "body": body, "route": route, "urgency": urgency, "link": link}
    said = {**from_file, **_given({**options, "overrides": overrides(override)})}
    if not said:
        raise InvalidInput("There is nothing to say: give a FILE, - for stdin, or --headline and --body.")
    return said


def _given(options: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in options.items() if value is not None}


def _print(report: Mapping[str, Any], as_json: bool) -> None:
    if as_json:
        print_json(report)
    else:
        console().print(announcement(report))
