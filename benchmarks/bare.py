"""The bare loop: an aiohttp client on uvloop that posts and stores nothing. What everything is compared with."""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import time

import aiohttp
import uvloop

from benchmarks.world import body


async def throughput(urls: list[str], count: int, in_flight: int, seed: int) -> dict[str, float]:
    bodies = [body(random.Random(seed + i)) for i in range(100)]
    left = count
    async with session() as client:

        async def worker() -> None:
            nonlocal left
            while left > 0:
                left -= 1
                await post(client, urls[left % len(urls)], bodies[left % 100])

        began, cpu = time.monotonic(), time.process_time()
        await asyncio.gather(*(worker() for _ in range(in_flight)))
        return {"seconds": time.monotonic() - began, "cpu_s": time.process_time() - cpu}


async def latency(url: str, count: int, gap_s: float, seed: int) -> dict[str, list[float]]:
    """When each post was begun (monotonic seconds); the platform knows when its first byte came."""
    began = []
    async with session() as client:
        for i in range(count):
            data = body(random.Random(seed + i))
            began.append(time.monotonic())
            await post(client, url, data)
            await asyncio.sleep(gap_s)
    return {"began": began}


def session() -> aiohttp.ClientSession:
    return aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0), cookie_jar=aiohttp.DummyCookieJar())


async def post(client: aiohttp.ClientSession, url: str, data: bytes) -> None:
    async with client.post(url, data=data, headers={"Content-Type": "application/json"}) as response:
        await response.read()
        assert response.status == 200


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--ports", type=int, nargs="+", required=True)
    parser.add_argument("--count", type=int, required=True)
    parser.add_argument("--in-flight", type=int, default=64)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--gap", type=float)
    given = parser.parse_args()
    urls = [f"http://127.0.0.1:{port}/hooks" for port in given.ports]
    if given.gap is None:
        found: object = uvloop.run(throughput(urls, given.count, given.in_flight, given.seed))
    else:
        found = uvloop.run(latency(urls[0], given.count, given.gap, given.seed))
    print(json.dumps(found))


if __name__ == "__main__":
    main()
