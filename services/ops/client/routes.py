"""What the commands ask the platform, and the type of each answer; a test holds both to the OpenAPI document."""

from dataclasses import dataclass, replace
from typing import Final, Generic, Self, TypeVar
from urllib.parse import quote

from services.ops.client.answers.audit import Noted
from services.ops.client.answers.backfills import Backfill, Plan, Retry, StepOutcome
from services.ops.client.answers.books import Edit, Flow, Position
from services.ops.client.answers.coverage import Coverage, Readiness, ReadinessList
from services.ops.client.answers.findings import Finding, FindingCounts, Ruling
from services.ops.client.answers.letters import Letter, LetterCounts, LetterDetail, Redrive, RedriveAnswer
from services.ops.client.answers.pages import Page
from services.ops.client.answers.portfolios import (
    Accepted,
    ExplainedAmount,
    Performance,
    Portfolio,
    PortfolioAccepted,
    PositionValue,
    Realised,
    Snapshot,
    Understood,
    ValueChanges,
)
from services.ops.client.answers.risk import (
    ActiveSectors,
    Benchmark,
    Contributions,
    Correlations,
    ExplainedRisk,
    PortfolioRisk,
    RiskChanges,
    Stress,
)
from services.ops.client.answers.runs import Cause, LogLine, RunProgress, RunSummary, ToldLine
from services.ops.client.answers.schedule import Fire, Pause, Schedule
from services.ops.client.answers.symbols import Prices, Source, Symbol, SymbolFactors, SymbolMetrics, SymbolSummary
from services.ops.client.answers.vendors import (
    Absence,
    Action,
    Attempt,
    Constituent,
    Identifier,
    Named,
    RunRequests,
    Universe,
    Vendor,
)
from shared.paths import API

Answer = TypeVar("Answer")


@dataclass(frozen=True, slots=True)
class Route(Generic[Answer]):
    """A route of the platform.

    Attributes
    ----------
    name : str
        Its method and path below the root, ``GET /runs/{run_id}``.
    answer : type
        What it answers, as far as it is read: the JSON is taken as it came.
    root : str
        What its path is below.
    """

    name: str
    answer: type[Answer]
    root: str = API

    @property
    def address(self) -> tuple[str, str]:
        """Its method and its whole path."""
        method, path = self.name.split(" ", 1)
        return method, f"{self.root}{path}"

    def at(self, **path: str) -> Self:
        """Return the route with its path filled in; what is filled in is one segment of it, whatever it says."""
        return replace(self, name=self.name.format(**{name: quote(text, safe="") for name, text in path.items()}))


READY: Final = Route("GET /health/ready", dict[str, str], root="")

RUN: Final = Route("GET /runs/{run_id}", RunProgress)
RUNS: Final = Route("GET /runs", Page[RunSummary])
RUN_LOG: Final = Route("GET /runs/{run_id}/log", Page[LogLine])
RUN_EVENTS: Final = Route("GET /runs/{run_id}/events", ToldLine)
CAUSES: Final = Route("GET /runs/{run_id}/causes", Page[Cause])
OPEN_RUN: Final = Route("POST /runs", RunSummary)
RETRY_RUN: Final = Route("POST /runs/{run_id}/retry-failed", RunSummary)
CANCEL_RUN: Final = Route("POST /runs/{run_id}/cancel", RunSummary)

FINDINGS: Final = Route("GET /findings", Page[Finding])
FINDING_COUNTS: Final = Route("GET /findings/counts", FindingCounts)
DECIDE: Final = Route("POST /findings/rulings", Ruling)

ATTEMPTS: Final = Route("GET /attempts/{symbol}", Page[Attempt])
ABSENCES: Final = Route("GET /absences", Page[Absence])
ASK_AGAIN: Final = Route("POST /absences/forgotten", list[Absence])
REQUESTS: Final = Route("GET /vendors/requests", RunRequests)
ESTIMATE: Final = Route("GET /vendors/estimate", RunRequests)
VENDORS: Final = Route("GET /vendors", Page[Vendor])

ACTIONS: Final = Route("GET /corporate-actions/{symbol}", Page[Action])
ENTER_ACTION: Final = Route("POST /corporate-actions", Action)
CONSTITUENTS: Final = Route("GET /universes/{name}", Page[Constituent])
LOAD_UNIVERSE: Final = Route("PUT /universes/{name}", Universe)
IDENTIFIERS: Final = Route("GET /identifiers", Page[Identifier])
NAME_SHARE: Final = Route("POST /identifiers", Named)
WITHDRAW_NAME: Final = Route("POST /identifiers/{identifier_id}/withdraw", Identifier)

LETTERS: Final = Route("GET /dead-letters", Page[Letter])
LETTER: Final = Route("GET /dead-letters/{letter_id}", LetterDetail)
LETTER_COUNTS: Final = Route("GET /dead-letters/counts", LetterCounts)
REDRIVE: Final = Route("POST /dead-letters/redrives", RedriveAnswer)
REDRIVEN: Final = Route("GET /dead-letters/redrives/{redrive_id}", Redrive)
DROP_LETTER: Final = Route("POST /dead-letters/{letter_id}/drop", LetterDetail)

CELLS: Final = Route("GET /cells", Coverage)
READINESS: Final = Route("GET /readiness", ReadinessList)
PORTFOLIO_READINESS: Final = Route("GET /readiness/{portfolio_id}", Readiness)

SCHEDULE: Final = Route("GET /schedule", Schedule)
FIRE: Final = Route("GET /schedule/fires/{fire_id}", Fire)
PAUSE_SCHEDULE: Final = Route("POST /schedule/pause", Pause)
RESUME_SCHEDULE: Final[Route[Pause | None]] = Route("POST /schedule/resume", Pause | None)  # type: ignore[arg-type]
TRIGGER: Final = Route("POST /schedule/triggers/{stage}", list[Fire])

PLAN_BACKFILL: Final = Route("POST /backfills/plan", Plan)
START_BACKFILL: Final = Route("POST /backfills", Backfill)
BACKFILLS: Final = Route("GET /backfills", Page[Backfill])
BACKFILL: Final = Route("GET /backfills/{backfill_id}", Backfill)
BACKFILL_STEPS: Final = Route("GET /backfills/{backfill_id}/steps", Page[StepOutcome])
PAUSE_BACKFILL: Final = Route("POST /backfills/{backfill_id}/pause", Backfill)
RESUME_BACKFILL: Final = Route("POST /backfills/{backfill_id}/resume", Backfill)
CANCEL_BACKFILL: Final = Route("POST /backfills/{backfill_id}/cancel", Backfill)
RETRY_BACKFILL: Final = Route("POST /backfills/{backfill_id}/retry-failed", Retry)

PORTFOLIO: Final = Route("GET /portfolios/{portfolio_id}", Portfolio)
PORTFOLIOS: Final = Route("GET /portfolios", Page[Portfolio])
STORE_PORTFOLIO: Final = Route("POST /portfolios", PortfolioAccepted)
TRY_PORTFOLIO: Final = Route("POST /portfolios/dry-run", Understood)
DESCRIBE_PORTFOLIO: Final = Route("PATCH /portfolios/{portfolio_id}", Accepted)
CLOSE_PORTFOLIO: Final = Route("POST /portfolios/{portfolio_id}/close", Accepted)
REOPEN_PORTFOLIO: Final = Route("POST /portfolios/{portfolio_id}/reopen", Accepted)
POSITIONS: Final = Route("GET /portfolios/{portfolio_id}/positions", Page[Position])
TRY_POSITIONS: Final = Route("POST /portfolios/{portfolio_id}/positions/dry-run", Understood)
ADD_POSITIONS: Final = Route("POST /portfolios/{portfolio_id}/positions", Accepted)
CORRECT_POSITION: Final = Route("PUT /portfolios/{portfolio_id}/positions/{position_id}", Accepted)
REMOVE_POSITION: Final = Route("DELETE /portfolios/{portfolio_id}/positions/{position_id}", Accepted)
EXIT_POSITION: Final = Route("POST /portfolios/{portfolio_id}/positions/{position_id}/exits", Accepted)
FLOWS: Final = Route("GET /portfolios/{portfolio_id}/flows", Page[Flow])
ADD_FLOW: Final = Route("POST /portfolios/{portfolio_id}/flows", Accepted)
CORRECT_FLOW: Final = Route("PUT /portfolios/{portfolio_id}/flows/{flow_id}", Accepted)
REMOVE_FLOW: Final = Route("DELETE /portfolios/{portfolio_id}/flows/{flow_id}", Accepted)
EDITS: Final = Route("GET /portfolios/{portfolio_id}/edits", Page[Edit])
PERFORMANCE: Final = Route("GET /portfolios/{portfolio_id}/performance", Performance)
REALISED: Final = Route("GET /portfolios/{portfolio_id}/realised", Realised)
PORTFOLIO_SNAPSHOTS: Final = Route("GET /portfolios/{portfolio_id}/snapshots", Page[Snapshot])
PORTFOLIO_VALUES: Final = Route("GET /portfolios/{portfolio_id}/values", Page[PositionValue])
EXPLAINED_AMOUNT: Final = Route("GET /portfolios/{portfolio_id}/explain/{measure}", ExplainedAmount)
VALUE_CHANGES: Final = Route("GET /portfolios/{portfolio_id}/changes", ValueChanges)
SNAPSHOTS: Final = Route("GET /snapshots", Page[Snapshot])
POSITION_VALUES: Final = Route("GET /position-values", Page[PositionValue])

RISK: Final = Route("GET /risk", Page[PortfolioRisk])
PORTFOLIO_RISK: Final = Route("GET /risk/portfolios/{portfolio_id}", PortfolioRisk)
STRESS: Final = Route("GET /risk/portfolios/{portfolio_id}/stress", Stress)
CORRELATIONS: Final = Route("GET /risk/portfolios/{portfolio_id}/correlations", Correlations)
CONTRIBUTIONS: Final = Route("GET /risk/portfolios/{portfolio_id}/contributions", Contributions)
ACTIVE_SECTORS: Final = Route("GET /risk/portfolios/{portfolio_id}/active-sectors", ActiveSectors)
EXPLAINED_RISK: Final = Route("GET /risk/portfolios/{portfolio_id}/explain/{measure}", ExplainedRisk)
RISK_CHANGES: Final = Route("GET /risk/portfolios/{portfolio_id}/changes", RiskChanges)
LOAD_BENCHMARK: Final = Route("PUT /risk/benchmarks/{name}", Benchmark)

SYMBOL: Final = Route("GET /symbols/{symbol}", Symbol)
SYMBOLS: Final = Route("GET /symbols", Page[SymbolSummary])
PRICES: Final = Route("GET /prices/{symbol}", Prices)
SOURCES: Final = Route("GET /sources", Page[Source])
FACTORS: Final = Route("GET /factors", Page[SymbolFactors])
METRICS: Final = Route("GET /symbol-metrics", Page[SymbolMetrics])

# By service: each keeps its own.
AUDITS: Final = {
    name: Route(f"GET /audit/{name}", Page[Noted]) for name in ("scheduler", "market_data", "portfolio", "risk")
}
