"""The services, in the order in which a session passes through them."""

from typing import Final

SERVICES: Final = ("scheduler", "market_data", "symbol_analytics", "portfolio", "risk")
