"""`python -m adapters.emulators [--control-port N] [--options JSON] [--until-eof] [name ...]` runs emulators by hand.

Prints one line of JSON once all listen: {"control": "http://127.0.0.1:…", "platforms": {…}}.
"""

import argparse
import asyncio
import json
import sys

from adapters.emulators.control import ControlError, Sandbox, emulators, run_sandbox


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m adapters.emulators", description="Platforms on loopback.")
    parser.add_argument("names", nargs="*", metavar="name", help=f"which: {', '.join(emulators())} (default: all)")
    parser.add_argument("--control-port", type=int, default=0, help="port that steers them (default: any free one)")
    parser.add_argument("--options", type=json.loads, default={}, help='JSON, such as {"facebook": {"lag": [0, 0]}}')
    parser.add_argument("--until-eof", action="store_true", help="end when stdin does, as when the parent process ends")
    given = parser.parse_args()
    try:
        run = run_sandbox(
            given.control_port, given.names, options=given.options, ready=_announce, until_eof=given.until_eof
        )
        asyncio.run(run)
    except (ControlError, TypeError, OSError) as error:
        parser.error(str(error))


def _announce(sandbox: Sandbox) -> None:
    sys.stdout.write(json.dumps({"control": sandbox.control_url, "platforms": sandbox.platforms()}) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
