"""What the own site shows, made from a list of items: pages, an index, an Atom feed and a JSON feed. Pure.

Source: RFC 4287 (Atom), JSON Feed 1.1, RFC 4151 (tag identifiers), read 2026-11-22. The same items give the same bytes.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime, timedelta, timezone
from functools import cache, cached_property
from typing import Any
from urllib.parse import urlsplit
from xml.etree.ElementTree import Element, SubElement, indent, tostring

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

NEWEST = 100
_ILLEGAL = re.compile("[^\t\n\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_WORDS: Mapping[str, Mapping[str, str]] = {
    "vi": {
        "time": "%H:%M ngày %d/%m/%Y",
        "reference": "Mã tin",
        "withdrawn": "Tin đã được rút lại",
        "withdrawn_at": "Cơ quan báo chí đã rút tin này lúc {at}.",
        "corrected_at": "Cập nhật lúc {at}",
    },
    "en": {
        "time": "%H:%M on %d %B %Y",
        "reference": "Reference",
        "withdrawn": "Announcement withdrawn",
        "withdrawn_at": "The agency withdrew this announcement at {at}.",
        "corrected_at": "Updated at {at}",
    },
}


def clean(text: str) -> str:
    """`text` without the control characters that XML cannot carry."""
    return _ILLEGAL.sub("", text)


@dataclass(frozen=True, kw_only=True)
class Item:
    """One announcement as the site keeps it. Times are RFC 3339, in UTC."""

    reference: str
    headline: str
    body: str
    language: str
    agency: str
    author: str = ""
    link: str = ""
    late_mark: str = ""
    published_at: str = ""
    updated_at: str = ""
    withdrawn_at: str = ""
    media: list[dict[str, Any]] = field(default_factory=list)
    """Pictures and videos: address, mime, size_bytes, width, height and, in words, what they show (alt)."""

    def says_the_same(self, other: Item) -> bool:
        dated = {name: getattr(other, name) for name in ("published_at", "updated_at", "withdrawn_at")}
        return replace(self, **dated) == other

    def withdrawn(self, at: str) -> Item:
        """What is left of a withdrawn announcement: that it was one, and when it was taken back."""
        gone = Item(reference=self.reference, headline="", body="", language=self.language, agency=self.agency)
        return replace(gone, published_at=self.published_at or at, updated_at=at, withdrawn_at=at)

    def to_json(self) -> bytes:
        said = asdict(self)
        if not self.media:
            del said["media"]
        return json.dumps(said, ensure_ascii=False, indent=1).encode()

    @cached_property
    def mark(self) -> str:
        """What only a page of exactly this item carries."""
        return f"{self.reference} {hashlib.sha256(self.to_json()).hexdigest()[:16]}"

    @property
    def html(self) -> Markup:
        paragraphs = re.split(r"\n{2,}", self.body) if self.body else []
        breaks = [Markup("<br>\n").join(paragraph.split("\n")) for paragraph in paragraphs]
        return Markup("\n").join(Markup("<p>{}</p>").format(lines) for lines in breaks)

    @property
    def link_is_web(self) -> bool:
        return self.link.startswith(("http://", "https://"))


@cache
def _templates() -> Environment:
    return Environment(
        loader=PackageLoader("adapters"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        keep_trailing_newline=True,
        lstrip_blocks=True,
    )


@dataclass(frozen=True)
class Pages:
    """Makes all files of a site from its items."""

    url: str
    """Public address of the folder, without a slash at its end."""
    title: str
    utc_offset: timedelta

    def page(self, item: Item) -> bytes:
        return self._rendered("page.html", item.language, item=item)

    def policy(self, media: Sequence[Mapping[str, Any]] = ()) -> str:
        """What a page may load: its own style, and what it shows."""
        bare = "default-src 'none'; style-src 'unsafe-inline'"
        hosts = " ".join(sorted({f"{urlsplit(one['url']).scheme}://{urlsplit(one['url']).netloc}" for one in media}))
        return f"{bare}; img-src {hosts}; media-src {hosts}" if hosts else bare

    def overview(self, items: Sequence[Item]) -> dict[str, bytes]:
        """Index and feeds of these items, newest first; file name -> content."""
        return {
            "feed.atom": self._atom(items),
            "feed.json": self._json(items),
            "index.html": self._rendered("index.html", items[0].language, items=items),
        }

    def local(self, at: str, words: Mapping[str, str]) -> str:
        """A moment as readers at home write it."""
        return datetime.fromisoformat(at).astimezone(timezone(self.utc_offset)).strftime(words["time"])

    def _rendered(self, name: str, language: str, **values: object) -> bytes:
        words = _WORDS.get(language.partition("-")[0], _WORDS["en"])
        return _templates().get_template(name).render(site=self, words=words, **values).encode()

    def _id(self, item: Item) -> str:
        """Never changes: the name of the site in the year of publication, and the reference."""
        return f"tag:{urlsplit(self.url).hostname},{item.published_at[:4]}:{item.reference}"

    def _title(self, item: Item) -> str:
        return item.headline or _WORDS.get(item.language, _WORDS["en"])["withdrawn"]

    def _atom(self, items: Sequence[Item]) -> bytes:
        feed = Element("feed", {"xmlns": "http://www.w3.org/2005/Atom", "xml:lang": items[0].language})
        SubElement(feed, "id").text = f"{self.url}/feed.atom"
        SubElement(feed, "title").text = self.title
        SubElement(feed, "updated").text = max(item.updated_at for item in items)
        SubElement(feed, "link", rel="self", type="application/atom+xml", href=f"{self.url}/feed.atom")
        SubElement(feed, "link", rel="alternate", type="text/html", href=f"{self.url}/")
        SubElement(SubElement(feed, "author"), "name").text = self.title
        for item in items:
            self._entry(SubElement(feed, "entry", {"xml:lang": item.language}), item)
        indent(feed)
        return bytes(tostring(feed, encoding="utf-8", xml_declaration=True))

    def _entry(self, entry: Element, item: Item) -> None:
        SubElement(entry, "id").text = self._id(item)
        SubElement(entry, "title").text = self._title(item)
        SubElement(entry, "published").text = item.published_at
        SubElement(entry, "updated").text = item.updated_at
        SubElement(entry, "link", rel="alternate", type="text/html", href=f"{self.url}/{item.reference}")
        if item.link_is_web:
            SubElement(entry, "link", rel="related", href=item.link)
        for one in item.media:
            given = {"type": one["mime"], "length": str(one["size_bytes"]), "href": one["url"]}
            SubElement(entry, "link", {"rel": "enclosure", **given, **({"title": one["alt"]} if one["alt"] else {})})
        if item.author or item.agency:
            SubElement(SubElement(entry, "author"), "name").text = item.author or item.agency
        SubElement(entry, "content", type="html").text = str(item.html) or str(Markup.escape(self._title(item)))

    def _json(self, items: Sequence[Item]) -> bytes:
        feed = {
            "version": "https://jsonfeed.org/version/1.1",
            "title": self.title,
            "home_page_url": f"{self.url}/",
            "feed_url": f"{self.url}/feed.json",
            "language": items[0].language,
            "items": [self._json_item(item) for item in items],
        }
        return json.dumps(feed, ensure_ascii=False, indent=1).encode()

    def _json_item(self, item: Item) -> dict[str, Any]:
        attached = [
            {"url": one["url"], "mime_type": one["mime"], "size_in_bytes": one["size_bytes"]} for one in item.media
        ]
        given: dict[str, Any] = {
            "id": self._id(item),
            "url": f"{self.url}/{item.reference}",
            "external_url": item.link if item.link_is_web else None,
            "title": self._title(item),
            "content_text": item.body or self._title(item),
            "date_published": item.published_at,
            "date_modified": item.updated_at,
            "authors": [{"name": item.author or item.agency}] if item.author or item.agency else None,
            "language": item.language,
            "image": next((one["url"] for one in item.media if one["mime"].startswith("image/")), None),
            "attachments": attached or None,
        }
        return {name: value for name, value in given.items() if value is not None}
