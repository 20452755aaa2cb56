"""The files of what a post shows."""

from __future__ import annotations

from broker.contract import Job, MediaFile, MediaNeeds, Tools
from broker.outcome import Fault, Outcome, Unavailable

NO_FOLDER = Unavailable(Fault.MEDIA, "the agency has no media folder any more: give it a `site`")


async def files_of(job: Job, needs: MediaNeeds, tools: Tools) -> list[MediaFile] | Outcome:
    """All of them as `needs` has it, or why one cannot be had."""
    files: list[MediaFile] = []
    for medium in job.composed.media:
        file = await tools.media.ready(medium, needs) if tools.media else NO_FOLDER
        if not isinstance(file, MediaFile):
            return file
        files.append(file)
    return files
