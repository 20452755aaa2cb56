"""Apprise through its library, as its documentation shows it: one object with a JSON target for each channel."""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import time

import apprise

from benchmarks.world import body


async def throughput(ports: list[int], announcements: int, at_once: int, seed: int) -> dict[str, float]:
    """Its asynchronous form, `at_once` announcements under way."""
    notifier = apprise.Apprise()
    for port in ports:
        notifier.add(f"json://127.0.0.1:{port}/hooks")
    given = json.loads(body(random.Random(seed)))
    left = announcements

    async def worker() -> None:
        nonlocal left
        while left > 0:
            left -= 1
            assert await notifier.async_notify(title=given["headline"], body=given["body"])

    began = time.monotonic()
    await asyncio.gather(*(worker() for _ in range(at_once)))
    return {"seconds": time.monotonic() - began}


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--ports", type=int, nargs="+", required=True)
    parser.add_argument("--count", type=int, required=True)
    parser.add_argument("--at-once", type=int, default=64)
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    print(json.dumps(asyncio.run(throughput(given.ports, given.count, given.at_once, given.seed))))


if __name__ == "__main__":
    main()
