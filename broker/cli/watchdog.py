"""Ends a process whose event loop stands still: whoever started it starts it anew, and it goes on as after a kill.

What makes a loop stand still is a bug, most likely in an adapter: a computation without end, a call that blocks. Such a
process sends nothing, answers nobody, and is not missed by a service manager, because it is still there.
"""

from __future__ import annotations

import asyncio
import faulthandler
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager


@asynccontextmanager
async def watchdog(after_s: float | None) -> AsyncIterator[None]:
    """While inside, a loop that has not come round for `after_s` seconds ends the process with code 1.

    Where every thread stood is written to stderr: files, lines and functions, no values. What watches is a thread that
    needs neither the loop nor the interpreter's lock. None: nobody watches.
    """
    if after_s is None:
        yield
        return
    rounds = asyncio.create_task(_come_round(after_s), name="watchdog")
    try:
        yield
    finally:
        rounds.cancel()
        faulthandler.cancel_dump_traceback_later()


async def _come_round(after_s: float) -> None:
    while True:
        faulthandler.dump_traceback_later(after_s, exit=True)
        await asyncio.sleep(after_s / 6)
