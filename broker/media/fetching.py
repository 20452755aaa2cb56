"""Fetches what an announcement names by its address, without letting anybody look around in our own network.

A name is resolved once, and the connection goes to an address that was checked; redirects are followed only to the
same host. Whoever may send announcements is a stranger to our network all the same.
"""

from __future__ import annotations

import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from datetime import timedelta
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.resolver import ThreadedResolver
from yarl import URL

REDIRECTS = 3
CHUNK = 1 << 16
_NAT64 = ip_network("64:ff9b::/96")


class NotFetched(Exception):
    """The text completes "the picture …" and says what to do."""


@asynccontextmanager
async def fetched(address: str, within: timedelta, *, allow_private: bool) -> AsyncIterator[AsyncIterator[bytes]]:
    """The bytes at this address, as they come. Raises `NotFetched`."""
    guard = _Guard(allow_private)
    connector = aiohttp.TCPConnector(resolver=guard, use_dns_cache=False, limit=1)
    timeout = aiohttp.ClientTimeout(total=within.total_seconds())
    async with aiohttp.ClientSession(
        connector=connector,
        timeout=timeout,
        cookie_jar=aiohttp.DummyCookieJar(),
        headers={"User-Agent": "Loa", "Accept-Encoding": "identity"},
    ) as session, _answer(session, URL(address), guard) as answer:  # fmt: skip
        yield _chunks(answer, guard)


async def _chunks(answer: aiohttp.ClientResponse, guard: _Guard) -> AsyncIterator[bytes]:
    with _told(guard):
        async for chunk in answer.content.iter_chunked(CHUNK):
            yield chunk


@contextmanager
def _told(guard: _Guard) -> Iterator[None]:
    """What the network did, as a sentence."""
    try:
        yield
    except TimeoutError:
        raise NotFetched("did not arrive in time: try again, or send it to /v1/media") from None
    except (aiohttp.ClientError, OSError):
        raise NotFetched(guard.refused or "cannot be fetched: its host does not answer; correct the address") from None


@asynccontextmanager
async def _answer(session: aiohttp.ClientSession, url: URL, guard: _Guard) -> AsyncIterator[aiohttp.ClientResponse]:
    """The final answer; a redirect may lead to another path or to https, never to another host."""
    for _ in range(REDIRECTS + 1):
        with _told(guard):
            guard.check_literal(url.host or "")
            answer = await session.get(url, allow_redirects=False)
        async with answer:
            if answer.status == 200:
                yield answer
                return
            url = _target(url, answer)
    raise NotFetched("leads from address to address: give its final address")


def _target(url: URL, answer: aiohttp.ClientResponse) -> URL:
    where = answer.headers.get("Location")
    if not 300 <= answer.status < 400 or where is None:
        raise NotFetched(f"cannot be fetched: its host answers {answer.status}; correct the address")
    target = url.join(URL(where))
    if target.host != url.host or target.scheme not in ("http", "https"):
        raise NotFetched("leads to another host: give its final address")
    return target


class _Guard(AbstractResolver):
    """Resolves names and refuses those that lead into our own network."""

    def __init__(self, allow_private: bool) -> None:
        self._allow_private = allow_private
        self._resolver = ThreadedResolver()
        self.refused = ""

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        found = await self._resolver.resolve(host, port, family)
        for one in found:
            self._check(one["host"])
        return found

    async def close(self) -> None:
        await self._resolver.close()

    def check_literal(self, host: str) -> None:
        """Addresses written as numbers are not resolved."""
        try:
            ip_address(host.partition("%")[0])
        except ValueError:
            return
        self._check(host)

    def _check(self, address: str) -> None:
        if not self._allow_private and not is_public(address):
            self.refused = "lies in a private network, which is not looked into: send it to /v1/media"
            raise OSError(self.refused)


def is_public(address: str) -> bool:
    """Whether anybody on the internet could reach it; addresses that carry another one count as that one."""
    ip = ip_address(address.partition("%")[0])
    if isinstance(ip, IPv6Address) and (inner := _carried(ip)) is not None:
        return is_public(str(inner))
    return ip.is_global and not ip.is_multicast


def _carried(ip: IPv6Address) -> IPv4Address | None:
    if ip in _NAT64:
        return IPv4Address(int(ip) & 0xFFFFFFFF)
    return ip.ipv4_mapped or ip.sixtofour or (ip.teredo[1] if ip.teredo else None)
