"""What the services have in common that keep prices and work when all that a run brings them is in."""

from shared.bus.fan_in import FanIn, FanOut
from shared.contracts.event import Event
from shared.prices.panel import PricePanel
from shared.service import Service, build_service
from shared.settings import CommonSettings


def build_price_service(
    name: str, settings: CommonSettings, *, streams: tuple[type[Event], ...], fan_out: FanOut, deadline_s: float
) -> tuple[Service, FanIn, PricePanel]:
    """Return a service, the barrier in front of its work, and its prices in memory.

    Parameters
    ----------
    name : str
        Of the service.
    settings : CommonSettings
        Addresses and secrets.
    streams : tuple of event types
        Whose every part must be in.
    fan_out : coroutine function
        Hands out the work of a run.
    deadline_s : float
        Seconds after the first part when the barrier closes without those that are missing.
    """
    service = build_service(name, settings)
    panel = PricePanel(service.engine)
    topics = tuple(stream.topic for stream in streams)
    fan_in = FanIn("inputs", streams=topics, fan_out=fan_out, deadline_s=deadline_s)
    service.fan_ins.append(fan_in)
    service.warm_up.append(panel.refresh)
    return service, fan_in, panel
