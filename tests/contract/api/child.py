"""A broker with its API as a process of its own: prints its port, runs until SIGTERM. Argument: the configuration."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from broker import logs
from broker.api import create_app, run_server
from broker.settings import load, load_adapters
from broker.wiring import open_broker


async def main(path: Path) -> None:
    async with open_broker(load(path, {}, load_adapters())) as broker:
        await run_server(create_app(broker), "127.0.0.1", 0, on_ready=lambda host, port: print(port, flush=True))


if __name__ == "__main__":
    logs.configure(as_json=True, level="debug")
    asyncio.run(main(Path(sys.argv[1])))
