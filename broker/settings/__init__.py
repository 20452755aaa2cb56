"""The configuration: read, checked as a whole, and resolved into agencies with channels and routes.

`load` gives a `Configuration` or raises one `ConfigError`; `shown` tells the effective values, masked.
"""

from broker.settings.adapters import asks_for_consent, load_adapters
from broker.settings.resolve import Configuration, load
from broker.settings.show import shown

__all__ = ["Configuration", "asks_for_consent", "load", "load_adapters", "shown"]
