"""Send the webhooks whose time has come; what is not received is tried again, later and later, and then given up."""

import asyncio
from datetime import timedelta
from typing import Final

import httpx
import structlog

from services.scheduler.core.webhook import pause_after, signed_headers
from services.scheduler.settings import Webhook
from services.scheduler.storage.webhook_repository import Delivery, WebhookRepository
from shared.clock import Clock
from shared.db.unit_of_work import UnitOfWorkFactory

_TIMEOUT_S: Final = 15.0
# Longer than an attempt may take, so that it is not made twice at once.
_CLAIM: Final = timedelta(seconds=60)
_MAX_ERROR: Final = 500

log = structlog.get_logger("webhook")


async def deliver_webhooks(unit_of_work: UnitOfWorkFactory, webhook: Webhook, clock: Clock) -> None:
    """Send what is due, one after the other; no transaction is open while the receiver answers."""
    while (delivery := await _claim(unit_of_work)) is not None:
        error = await _send(delivery, webhook, clock)
        async with unit_of_work() as uow:
            await _settle(delivery, error, WebhookRepository(uow.connection))


async def _claim(unit_of_work: UnitOfWorkFactory) -> Delivery | None:
    async with unit_of_work() as uow:
        return await WebhookRepository(uow.connection).claim_due(_CLAIM)


async def _settle(delivery: Delivery, error: str | None, webhooks: WebhookRepository) -> None:
    about = {"id": str(delivery.delivery_id), "type": delivery.type, "attempts": delivery.attempts}
    if error is None:
        await webhooks.mark_delivered(delivery)
        log.info("webhook delivered", **about)
        return
    pause = pause_after(delivery.attempts)
    await webhooks.postpone(delivery, pause, error=error[:_MAX_ERROR])
    if pause is None:
        log.error("webhook given up", **about, error=error)
    else:
        log.warning("webhook not delivered", **about, error=error, again_in_s=pause.total_seconds())


async def _send(delivery: Delivery, webhook: Webhook, clock: Clock) -> str | None:
    """Return why the receiver does not have it; None if it has."""
    body = delivery.body.encode()
    headers = dict(signed_headers(delivery.delivery_id, body, key=webhook.key, at=clock.now()))
    try:
        # A redirect would lead elsewhere than where we were told to, so none is followed; what is answered isn't read.
        async with (
            asyncio.timeout(_TIMEOUT_S),
            httpx.AsyncClient(timeout=_TIMEOUT_S, follow_redirects=False) as client,
            client.stream("POST", webhook.url, content=body, headers=headers) as answer,
        ):
            return None if answer.is_success else f"answered {answer.status_code}"
    except TimeoutError:
        return f"no answer within {_TIMEOUT_S:g} s"
    except httpx.HTTPError as error:
        return f"{type(error).__name__}: {error}"
