"""The simulation: real rules, engine and store on virtual time, against scripted platforms, all from one seed."""

import gc
import logging

import structlog


def quiet() -> None:
    """Keeps the broker's log out of the figures, and Python's collector from looking at everything all the time."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    gc.freeze()
    gc.set_threshold(100_000, 50, 100)
