"""What the scheduler listens to: every stage of every run, and every dead letter."""

from services.scheduler.core.ledger import STAGES
from services.scheduler.handlers.go_on_with_backfills import go_on_with_backfills
from services.scheduler.handlers.go_on_with_redrives import go_on_with_redrives
from services.scheduler.handlers.queue_webhook import queue_webhook
from services.scheduler.handlers.record_dead_letter import record_dead_letter
from services.scheduler.handlers.record_progress import record_progress
from services.scheduler.settings import SchedulerSettings
from shared.bus.consume import Consume
from shared.contracts.catalogue import EVENTS, dead_letter_topic
from shared.contracts.event import Event
from shared.contracts.portfolio import SymbolsOnboarding
from shared.contracts.scheduler import BatchCompleted

# A run that a service begins itself is known from the event on that opens it.
LEDGER: tuple[type[Event], ...] = (SymbolsOnboarding, *(EVENTS[stage] for stage in STAGES))


def register(consume: Consume, settings: SchedulerSettings) -> None:
    """Declare the consumers."""
    consume(LEDGER, record_progress)
    consume(BatchCompleted, go_on_with_backfills)
    consume(BatchCompleted, go_on_with_redrives)
    # Also where nobody is told: a receiver that is set later does not hear of all that was.
    consume(BatchCompleted, queue_webhook, settings=settings)
    consume.letters(tuple(dead_letter_topic(topic) for topic in EVENTS), record_dead_letter)
