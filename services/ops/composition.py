"""Putting services together: which there are, and how each is built."""

import importlib
from collections.abc import Sequence

from pydantic_settings import BaseSettings

from services.ops.tables import TABLES
from shared.contracts.services import SERVICES
from shared.db.retention import Retention
from shared.service import Service
from shared.settings import CommonSettings


def build_services(names: Sequence[str], common: CommonSettings, **settings: BaseSettings) -> list[Service]:
    """Return the named services, each by its composition root; nothing is connected yet.

    A container that runs one service loads the code of that one only.

    Parameters
    ----------
    names : sequence of str
        Which services.
    common : CommonSettings
        What all of them need.
    **settings : BaseSettings
        What a service needs beside that, by its name; where nothing is given it reads the environment.
    """
    roots = {name: importlib.import_module(f"services.{name}.main").build for name in names}
    services = [root(common, settings[name]) if name in settings else root(common) for name, root in roots.items()]
    for service in services:
        results = TABLES[service.name].results
        service.relay.retention = Retention(common.log_kept_days, common.superseded_kept_days, results)
    return services


def load_services() -> None:
    """Load the code of every service: it takes seconds, which pass while the servers start."""
    for name in SERVICES:
        importlib.import_module(f"services.{name}.main")
