"""The assessment of the books of a shard at one session: what it takes and what it gives."""

from dataclasses import dataclass
from datetime import date
from uuid import UUID

from services.risk.core.books import Books
from services.risk.core.exposures import FactorExposures, factor_exposures
from services.risk.core.measures import MEASURES, Measured, RiskInputs
from services.risk.core.sectors import SectorExposures, sector_exposures
from services.risk.digests import portfolio_digests, symbol_digests
from shared.unavailable import FloatArray, Quantities

RETURN_SESSIONS = 63  # the longest window of the measures


@dataclass(frozen=True, slots=True)
class HeldBooks:
    """The books of some portfolios as of a session; `books` points into `portfolio_ids` and `symbols`."""

    as_of: date
    portfolio_ids: tuple[UUID, ...]
    symbols: tuple[str, ...]
    books: Books


@dataclass(frozen=True, slots=True)
class AssessmentInputs:
    """The books and what is known of their symbols.

    `betas` (n_symbols, n_factors), `sectors` one a symbol, `returns` (n_symbols, RETURN_SESSIONS).
    """

    held: HeldBooks
    betas: Quantities
    sectors: tuple[str, ...]
    returns: FloatArray


@dataclass(frozen=True, slots=True)
class Assessment:
    """The results of all portfolios; `measures` by name, `digests` of the inputs one a portfolio."""

    held: HeldBooks
    digests: tuple[bytes, ...]
    factors: FactorExposures
    sectors: SectorExposures
    measures: dict[str, Measured]


def assess(inputs: AssessmentInputs) -> Assessment:
    """Return factor and sector exposures and every line of the table of measures."""
    books = inputs.held.books
    shared = RiskInputs(books, inputs.returns)
    symbols = symbol_digests(inputs.held.symbols, betas=inputs.betas, sectors=inputs.sectors, returns=inputs.returns)
    return Assessment(
        held=inputs.held,
        digests=portfolio_digests(books, symbols),
        factors=factor_exposures(books, inputs.betas),
        sectors=sector_exposures(books, inputs.sectors),
        measures={measure.name: measure.compute(shared) for measure in MEASURES},
    )
