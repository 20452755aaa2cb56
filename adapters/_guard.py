"""Which network addresses an endpoint that other people name may have: public ones, so that nobody aims us at our own
network or at a cloud's metadata service (server-side request forgery).

Source: the special-purpose address registries of RFC 6890 and its successors, RFC 6052 (NAT64), read 2026-11-22.
Literal addresses are judged when the configuration is read, names each time they are resolved: the connection goes to
the very address that was judged, so a name that changes its answer in between gains nothing.
"""

from __future__ import annotations

import socket
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address, ip_network

from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.resolver import DefaultResolver

_NOT_PUBLIC = [
    ip_network(block)
    for block in (
        "0.0.0.0/8",  # this network
        "10.0.0.0/8",
        "100.64.0.0/10",  # carrier-grade NAT; also Alibaba's metadata service
        "127.0.0.0/8",
        "168.63.129.16/32",  # Azure's platform services
        "169.254.0.0/16",  # link-local; the metadata service of most clouds
        "172.16.0.0/12",
        "192.0.0.0/24",  # protocol assignments; also Oracle's metadata service
        "192.0.2.0/24",  # documentation
        "192.88.99.0/24",  # 6to4 relays, withdrawn
        "192.168.0.0/16",
        "198.18.0.0/15",  # benchmarks
        "198.51.100.0/24",  # documentation
        "203.0.113.0/24",  # documentation
        "224.0.0.0/4",  # multicast
        "240.0.0.0/4",  # reserved, broadcast
        "2001::/23",  # protocol assignments, among them Teredo, which wraps an IPv4 address
        "2001:db8::/32",  # documentation
        "2002::/16",  # 6to4, which wraps an IPv4 address
        "3fff::/20",  # documentation
    )
]
_IPV6_PUBLIC = IPv6Network("2000::/3")
_NAT64 = IPv6Network("64:ff9b::/96")


class AddressRefused(Exception):
    """The name leads only to addresses that are not public. The text names neither."""


def is_public(address: str) -> bool:
    """Whether this address, in any of the forms that wrap an IPv4 address too, is one of the public internet."""
    ip = _unwrapped(ip_address(address))
    if isinstance(ip, IPv6Address) and ip not in _IPV6_PUBLIC:
        return False
    return not any(ip in block for block in _NOT_PUBLIC)


def is_literal(host: str) -> bool:
    """Whether `host` is an address rather than a name, also in the short, octal and hexadecimal forms of old."""
    name = host.rstrip(".")
    if ":" in name or name.replace(".", "").isdigit():
        return True
    try:
        socket.inet_aton(name)
    except OSError:
        return False
    return True


def may_be_public(host: str) -> bool:
    """False for an address that is not public or not written in the usual form; names are judged when resolved."""
    try:
        return is_public(host)
    except ValueError:
        return not is_literal(host)


def _unwrapped(ip: IPv4Address | IPv6Address) -> IPv4Address | IPv6Address:
    if isinstance(ip, IPv6Address):
        if ip.ipv4_mapped is not None:
            return ip.ipv4_mapped
        if ip in _NAT64:
            return IPv4Address(ip.packed[-4:])
    return ip


class PublicResolver(AbstractResolver):
    """Resolves names to their public addresses only. Raises `AddressRefused` when a name has no other."""

    def __init__(self) -> None:
        self._resolver = DefaultResolver()

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        found = await self._resolver.resolve(host, port, family)
        public = [result for result in found if is_public(result["host"])]
        if not public:
            raise AddressRefused("the name leads to an address that is not public")
        return public

    async def close(self) -> None:
        await self._resolver.close()
