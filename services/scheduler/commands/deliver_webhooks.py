"""Send the webhooks whose time has come; what does not arrive is tried again, later and later."""

import httpx
import structlog

from services.scheduler.core.webhook import pause_after, signed_headers
from services.scheduler.settings import SchedulerSettings
from services.scheduler.storage.webhook_repository import Delivery, WebhookRepository
from shared.clock import Clock
from shared.db.unit_of_work import UnitOfWorkFactory

_AT_ONCE = 20
_TIMEOUT_S = 10.0
# A process that dies with deliveries in hand leaves them to the next one after this long.
_CLAIM_S = 120.0

log = structlog.get_logger("webhook")


async def deliver_webhooks(
    unit_of_work: UnitOfWorkFactory, clock: Clock, settings: SchedulerSettings, client: httpx.AsyncClient
) -> int:
    """Send what is due; return how many arrived. No transaction is open while the receiver answers."""
    async with unit_of_work() as uow:
        due = await WebhookRepository(uow.connection).claim_due(limit=_AT_ONCE, claim_s=_CLAIM_S)
    arrived = 0
    for delivery in due:
        error = await _send(delivery, clock, settings, client)
        async with unit_of_work() as uow:
            repository = WebhookRepository(uow.connection)
            if error is None:
                await repository.mark_delivered(delivery.delivery_id)
                arrived += 1
            else:
                pause = pause_after(delivery.attempts)
                await repository.postpone(delivery.delivery_id, pause, error=error)
                log.warning("webhook not delivered", event=delivery.event.value, attempts=delivery.attempts, error=error)
    return arrived


async def _send(
    delivery: Delivery, clock: Clock, settings: SchedulerSettings, client: httpx.AsyncClient
) -> str | None:
    """Return why the receiver did not take it, None if it did."""
    if settings.webhook_url is None or settings.webhook_secret is None:
        return "no receiver is configured"
    body = delivery.body.encode()
    secret = settings.webhook_secret.get_secret_value()
    headers = signed_headers(delivery.delivery_id, body, secret=secret, at=clock.now())
    try:
        answer = await client.post(settings.webhook_url, content=body, headers=dict(headers), timeout=_TIMEOUT_S)
    except httpx.HTTPError as error:
        return f"{type(error).__name__}: {error}"
    return None if answer.is_success else f"answered {answer.status_code}"
