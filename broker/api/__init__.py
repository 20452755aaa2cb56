"""The HTTP API: `create_app` over a running `Broker`, and `run_server` to serve it."""

from broker.api.app import create_app
from broker.api.face import Folder, Options
from broker.api.server import run_server

__all__ = ["Folder", "Options", "create_app", "run_server"]
