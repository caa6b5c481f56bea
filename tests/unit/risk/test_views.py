"""What the API makes of stored rows."""

from datetime import UTC, date, datetime
from types import SimpleNamespace
from uuid import UUID

from services.risk.web.views import PortfolioCorrelations

HEAD = SimpleNamespace(
    portfolio_id=UUID(int=1),
    as_of=date(2025, 3, 14),
    revision=1,
    known_at=datetime(2025, 3, 14, 22, tzinfo=UTC),
    digest=b"\x01",
    code_version=2,
)


def test_defect_47_missing_pair_is_shown_as_null_and_not_as_zero() -> None:
    row = SimpleNamespace(
        symbols=["A", "B", "C"],
        correlations=[0.0, None, 0.25],
        clip=0.0,
        missing_pairs=1,
        clusters=[0, 0, -1],
        cluster_names=["Energy"],
    )

    measures = SimpleNamespace(
        measures=["effective_bets"],
        **{name: [None] for name in ("values_reasons", "values_details", "coverages_reasons", "coverages_details")},
        values=[2.0],
        coverages=[0.75],
        observations=[90],
        window_sessions=[90],
    )

    view = PortfolioCorrelations.of(HEAD, row, measures)

    assert view.matrix == [[1.0, 0.0, None], [0.0, 1.0, 0.25], [None, 0.25, 1.0]]
    assert (view.window, view.coverage.value) == (90, 0.75)
    assert (view.missing_pairs, view.clusters[0].symbols) == (1, ["A", "B"])
