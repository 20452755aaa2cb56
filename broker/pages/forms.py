"""What a form sent: bounded, UTF-8, each field once."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, tzinfo
from urllib.parse import parse_qsl

from aiohttp import web

from broker.api.face import Options
from broker.api.problems import refused
from broker.api.reading import read_raw
from broker.errors import FieldProblem, InvalidInput

FIELDS_AT_MOST = 50
FORM = "application/x-www-form-urlencoded"

Form = Mapping[str, str]


async def read_form(request: web.Request, options: Options) -> Form:
    """The fields by name. Raises `RequestError` for what no form of ours sends."""
    if request.content_type != FORM:
        raise refused("unsupported_media_type", "This is no form of ours.")
    raw = await read_raw(request, options.body_limit_bytes, options.body_within_s)
    try:
        fields = parse_qsl(raw.decode("ascii"), keep_blank_values=True, errors="strict", max_num_fields=FIELDS_AT_MOST)
    except ValueError:
        raise refused("bad_request", "The form cannot be read.") from None
    return dict(fields)


def at_home(zone: tzinfo, field: str, text: str) -> str:
    """A time as browsers send it, without a zone, in the agency's. Raises `InvalidInput`."""
    try:
        return datetime.fromisoformat(text).replace(tzinfo=zone).isoformat()
    except ValueError:
        problem = FieldProblem(field, "is no time: write it like 2026-11-22T10:00")
        raise InvalidInput("The form was not accepted.", problem) from None
