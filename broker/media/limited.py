"""A program that takes limits on and becomes another: `python -m broker.media.limited CPU_S MEMORY FILE PROGRAM ...`.

It is started for every picture, so it imports little.
"""

import contextlib
import os
import resource
import sys

NICER = 10


def _take_on(cpu_s: int, memory_bytes: int, file_bytes: int) -> None:
    resource.setrlimit(resource.RLIMIT_CPU, (cpu_s, cpu_s))
    resource.setrlimit(resource.RLIMIT_AS, (memory_bytes, memory_bytes))
    resource.setrlimit(resource.RLIMIT_FSIZE, (file_bytes, file_bytes))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    with contextlib.suppress(OSError):  # a service may forbid it; it is a courtesy, not a limit
        os.nice(NICER)


if __name__ == "__main__":
    _take_on(*map(int, sys.argv[1:4]))
    os.execv(sys.argv[4], sys.argv[4:])  # noqa: S606  # no shell: the program's full path, by us
