"""Putting services together: which there are, and how each is built from the environment."""

import importlib
from collections.abc import Sequence

from shared.contracts.catalogue import SERVICES
from shared.service import Service
from shared.settings import CommonSettings


def build_services(names: Sequence[str], common: CommonSettings) -> list[Service]:
    """Return the named services, each by its composition root; nothing is connected yet.

    A container that runs one service loads the code of that one only.
    """
    return [importlib.import_module(f"services.{name}.main").build(common) for name in names]


def load_services() -> None:
    """Load the code of every service: it takes seconds, which pass while the servers start."""
    for name in SERVICES:
        importlib.import_module(f"services.{name}.main")
