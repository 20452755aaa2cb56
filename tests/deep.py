"""`make deep`: the long programme of tests, with figures. See `tests.acceptance.deep` for its parts and options."""

from __future__ import annotations

from tests.acceptance.deep import main

if __name__ == "__main__":
    main()
