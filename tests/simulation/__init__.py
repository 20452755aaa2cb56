"""The simulation: real rules, engine and store on virtual time, against scripted platforms, all from one seed."""

import logging

import structlog


def quiet() -> None:
    """Keeps the broker's log out of the figures."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
