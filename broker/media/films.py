"""What ffmpeg is told, and what it says of a video. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from broker.look import CARD_SECONDS
from broker.media.kinds import Unfit

CARD_RATE = 30
"""Pictures a second."""
PICTURES, SOUNDS = frozenset({"h264", "hevc"}), frozenset({"aac", "mp3"})

_DURATION = re.compile(r"Duration: (\d+):(\d\d):(\d\d(?:\.\d+)?)")
_PICTURE = re.compile(r"Stream #\S+ Video: (\w+).*?, (\d{2,5})x(\d{2,5})")
_SOUND = re.compile(r"Stream #\S+ Audio: (\w+)")
_TURNED = re.compile(r"rotation of (-?\d+)")


@dataclass(frozen=True, slots=True)
class Film:
    """A video as shown."""

    width: int
    height: int
    duration: timedelta


def _reads(source: Path) -> list[str]:
    """No playlists, no other files, no network: only what lies in this one file."""
    return ["-hide_banner", "-nostdin", "-protocol_whitelist", "file", "-f", "mov", "-i", str(source)]


def looks(source: Path) -> list[str]:
    """Says what is in it; ends with 1, because nothing is to be written."""
    return _reads(source)


def remux(source: Path, target: Path) -> list[str]:
    """The same pictures and sound without anything else: no place, no device, no data tracks; its index in front."""
    tracks = ["-map", "0:v:0", "-map", "0:a:0?", "-c", "copy", "-map_metadata", "-1", "-map_chapters", "-1"]
    bare = ["-fflags", "+bitexact", "-flags", "+bitexact", "-movflags", "+faststart"]
    return ["-v", "error", *_reads(source), *tracks, *bare, "-f", "mp4", "-y", str(target)]


def of_picture(picture: Path, target: Path) -> list[str]:
    """A card for some seconds, with silence: platforms expect a sound track."""
    shown = ["-loop", "1", "-framerate", "1", "-i", str(picture)]
    silence = ["-f", "lavfi", "-i", "anullsrc=r=44100:cl=stereo"]
    colours = [
        "-vf",
        f"scale=out_color_matrix=bt709:out_range=tv,format=yuv420p,fps={CARD_RATE}",
        "-colorspace",
        "bt709",
    ]
    coding = ["-c:v", "libx264", "-preset", "ultrafast", "-tune", "stillimage", "-crf", "20", "-threads", "2"]
    sound = ["-c:a", "aac", "-b:a", "64k", "-t", str(CARD_SECONDS)]
    return [
        *("-v", "error", "-hide_banner", "-nostdin", *shown, *silence, *colours, *coding, *sound),
        *("-movflags", "+faststart", "-f", "mp4", "-y", str(target)),
    ]


def told(said: str) -> Film:
    """What `looks` says. Raises `Unfit`."""
    picture, duration = _PICTURE.search(said), _DURATION.search(said)
    if picture is None or duration is None:
        raise Unfit("shows no pictures that can be read: export it anew as MP4 (H.264 and AAC)")
    if picture[1] not in PICTURES:
        raise Unfit(f"is coded as {picture[1]}, which platforms refuse: export it as MP4 (H.264 and AAC)")
    if (sound := _SOUND.search(said)) and sound[1] not in SOUNDS:
        raise Unfit(f"has sound coded as {sound[1]}, which platforms refuse: export it as MP4 (H.264 and AAC)")
    width, height = int(picture[2]), int(picture[3])
    if (turned := _TURNED.search(said)) and abs(int(turned[1])) % 180 == 90:
        width, height = height, width
    hours, minutes, seconds = duration.groups()
    return Film(width, height, timedelta(hours=int(hours), minutes=int(minutes), seconds=float(seconds)))
