"""From an assessment to the columns of its tables."""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any
from uuid import UUID

import numpy as np
from numpy.typing import NDArray

from services.risk.assessment import Assessment
from services.risk.digests import CODE_VERSION
from shared.conventions import FACTORS
from shared.db.bulk import Columns
from shared.unavailable import IntArray, Quantities, ReasonArray, nullable

ObjectArray = NDArray[np.object_]


@dataclass(frozen=True, slots=True)
class Written:
    """The portfolios of an assessment that got a new revision: their indices and its number, (n_written,)."""

    portfolio: IntArray
    revision: IntArray

    @classmethod
    def of(cls, assessment: Assessment, revisions: Mapping[UUID, int]) -> "Written":
        """Return the portfolios that `revisions` names."""
        ids = assessment.held.portfolio_ids
        indices = [index for index, portfolio_id in enumerate(ids) if portfolio_id in revisions]
        numbers = [revisions[ids[index]] for index in indices]
        return cls(np.array(indices, dtype=np.int64), np.array(numbers, dtype=np.int64))


def assessment_columns(assessment: Assessment, run_id: UUID) -> Columns:
    """Return one row per portfolio."""
    held = assessment.held
    return {
        "portfolio_id": held.portfolio_ids,
        "as_of": [held.as_of] * len(held.portfolio_ids),
        "digest": assessment.digests,
        "code_version": [CODE_VERSION] * len(held.portfolio_ids),
        "run_id": [run_id] * len(held.portfolio_ids),
        "equity": _money(held.books.equity),
    }


def factor_columns(assessment: Assessment, written: Written) -> Columns:
    """Return one row per portfolio and factor."""
    factors, rows = assessment.factors, written.portfolio
    return {
        **_key(assessment, written, np.repeat(np.arange(rows.size), len(FACTORS))),
        "factor": FACTORS * rows.size,
        "beta": nullable(factors.beta.values[rows].ravel()),
        "dollars": nullable(factors.dollars.values[rows].ravel()),
        **_why(factors.beta.unavailable[rows]),
        **_coverage(Quantities(factors.coverage.values[rows], factors.coverage.unavailable[rows])),
    }


def sector_columns(assessment: Assessment, written: Written) -> Columns:
    """Return one row per portfolio and sector that it holds, whatever its neighbours in the shard hold."""
    sectors = assessment.sectors
    entry, sector = np.nonzero(sectors.gross_cents[written.portfolio])
    cells = written.portfolio[entry], sector
    return {
        **_key(assessment, written, entry),
        "sector": [sectors.names[index] for index in sector.tolist()],
        "net": _money(sectors.net_cents[cells]),
        "gross": _money(sectors.gross_cents[cells]),
        "net_over_equity": nullable(sectors.net.values[cells]),
        "gross_over_equity": nullable(sectors.gross.values[cells]),
        **_why(sectors.net.unavailable[cells]),
    }


def _key(assessment: Assessment, written: Written, entry: IntArray) -> dict[str, Any]:
    ids = np.array(assessment.held.portfolio_ids, dtype=object)
    return {
        "portfolio_id": ids[written.portfolio[entry]],
        "as_of": [assessment.held.as_of] * entry.size,
        "revision": written.revision[entry],
    }


def _why(unavailable: ReasonArray) -> dict[str, list[str | None]]:
    flat = unavailable.ravel().tolist()
    return {
        "reason": [None if why is None else why.reason.value for why in flat],
        "detail": [None if why is None else why.detail for why in flat],
    }


def _coverage(coverage: Quantities) -> dict[str, Any]:
    why = _why(coverage.unavailable)
    return {
        "coverage": nullable(coverage.values.ravel()),
        "coverage_reason": why["reason"],
        "coverage_detail": why["detail"],
    }


def _money(cents: IntArray) -> list[Decimal]:
    return [Decimal(amount).scaleb(-2) for amount in cents.tolist()]
