"""What the API makes of stored rows."""

from datetime import UTC, date, datetime
from decimal import Decimal
from uuid import UUID

from services.risk.storage.rows import CorrelationsRow, HeadRow, MeasuresRow
from services.risk.web.views import PortfolioCorrelations

HEAD = HeadRow(
    portfolio_id=UUID(int=1),
    as_of=date(2025, 3, 14),
    revision=1,
    known_at=datetime(2025, 3, 14, 22, tzinfo=UTC),
    equity=Decimal(1000),
    digest=b"\x01",
    code_version=2,
)


def test_defect_47_missing_pair_is_shown_as_null_and_not_as_zero() -> None:
    row = CorrelationsRow(
        symbols=["A", "B", "C"],
        correlations=[0.0, None, 0.25],
        clip=0.0,
        missing_pairs=1,
        clusters=[0, 0, -1],
        cluster_names=["Energy"],
    )

    measures = MeasuresRow(
        portfolio_id=HEAD.portfolio_id,
        as_of=HEAD.as_of,
        measures=["effective_bets"],
        values=[2.0],
        values_reasons=[None],
        values_details=[None],
        values_of_covered=None,
        coverages=[0.75],
        coverages_reasons=[None],
        coverages_details=[None],
        observations=[90],
        window_sessions=[90],
    )

    view = PortfolioCorrelations.of(HEAD, row, measures)

    assert view.matrix == [[1.0, 0.0, None], [0.0, 1.0, 0.25], [None, 0.25, 1.0]]
    assert (view.window, view.coverage.value) == (90, 0.75)
    assert (view.missing_pairs, view.clusters[0].symbols) == (1, ["A", "B"])
