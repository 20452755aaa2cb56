"""Loa, the communication resilience broker: its public names.

Open a broker with `Broker.open` (asyncio) or `BlockingBroker`; catch `LoaError` or one of its kinds.
"""

from broker.core import Receipt
from broker.errors import (
    ConfigError,
    Conflict,
    FieldProblem,
    InvalidInput,
    LoaError,
    NotFound,
    Overloaded,
    StoreError,
    StoreFull,
    StoreInUse,
)
from broker.library import BlockingBroker, Broker
from broker.report import AnnouncementReport, ChannelReport, DeliveryReport, EventReport, GoalReport, PreviewReport

__all__ = [
    "AnnouncementReport",
    "BlockingBroker",
    "Broker",
    "ChannelReport",
    "ConfigError",
    "Conflict",
    "DeliveryReport",
    "EventReport",
    "FieldProblem",
    "GoalReport",
    "InvalidInput",
    "LoaError",
    "NotFound",
    "Overloaded",
    "PreviewReport",
    "Receipt",
    "StoreError",
    "StoreFull",
    "StoreInUse",
]
