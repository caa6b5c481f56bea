"""A run has ended: the receiver of webhooks, if there is one, is to be told."""

from services.scheduler.events import webhook_body, webhook_type
from services.scheduler.settings import SchedulerSettings
from services.scheduler.storage.webhook_repository import WebhookRepository
from shared.contracts.run import RunKind
from shared.contracts.scheduler import BatchCompleted
from shared.db.unit_of_work import UnitOfWork

# Steps of a larger piece of work: thousands of them would be news of nothing.
_STEPS = {RunKind.BACKFILL, RunKind.REPLAY}


async def queue_webhook(event: BatchCompleted, uow: UnitOfWork, *, settings: SchedulerSettings) -> None:
    """Queue what is told of the end of a run; without a receiver it is never told, also not to a later one."""
    if settings.webhook is None or event.run.kind in _STEPS:
        return
    webhooks = WebhookRepository(uow.connection)
    await webhooks.append_delivery(event.event_id, event.run.run_id, webhook_type(event), webhook_body(event))
