"""What keeps strangers' pages out: where a form was sent from, what a page may load, where it may be shown."""

from __future__ import annotations

from urllib.parse import urlsplit

from aiohttp import web

# No `no-referrer`: with it browsers send forms with `Origin: null`, and nobody could tell whose they are.
HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; "
        "base-uri 'none'; frame-ancestors 'none'"
    ),
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}


def is_ours(request: web.Request, public_url: str | None) -> bool:
    """Whether a form was sent from one of our own pages."""
    origin = request.headers.getall("Origin", [])
    if not origin:
        return request.headers.get("Sec-Fetch-Site") == "same-origin"
    hosts = {request.host.lower()} | ({urlsplit(public_url).netloc.lower()} if public_url else set())
    return len(origin) == 1 and urlsplit(origin[0]).netloc.lower() in hosts


def is_private(request: web.Request, public_url: str | None) -> bool:
    """Whether the browser speaks https to us, or to a proxy of ours."""
    if request.secure or request.headers.get("X-Forwarded-Proto", "").lower() == "https":
        return True
    return bool(public_url and public_url == f"https://{request.host.lower()}")


def from_elsewhere(request: web.Request) -> bool:
    """Whether a link on a stranger's page or in a chat led here: browsers then keep strict cookies back."""
    return request.headers.get("Sec-Fetch-Site") == "cross-site"


def local(path: str) -> str:
    """`path` if it is one of our pages, else the first page: nobody is sent elsewhere by a link to us."""
    ours = path == "/desk" or path.startswith(("/desk/", "/desk?"))
    return path if ours and path.isprintable() and path.isascii() and "\\" not in path and "//" not in path else "/desk"
