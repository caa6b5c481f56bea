"""What an assessment announces."""

from datetime import date
from typing import Any
from uuid import UUID

from services.risk.events import assessed_spans
from shared.calendar import sessions_between
from shared.contracts.risk import AssessedSpan, Headline

ONE, TWO = UUID(int=1), UUID(int=2)
NOTHING: dict[str, Any] = {
    **{name: {} for name in ("market_beta", "volatility_63d", "effective_positions")},
    "market_beta_coverage": None,
}


def test_every_assessed_session_lies_in_a_span_and_no_other() -> None:
    thursday, friday, monday, tuesday, wednesday = sessions_between(date(2025, 3, 13), date(2025, 3, 19))
    announced = [
        Headline(portfolio_id=portfolio_id, as_of=session, **NOTHING)
        for session, portfolio_ids in (
            (thursday, (ONE, TWO)),
            (friday, (ONE,)),
            (monday, (ONE, TWO)),
            (wednesday, (ONE, TWO)),
        )
        for portfolio_id in portfolio_ids
    ]
    spans = {
        (ONE, thursday, monday),
        (ONE, wednesday, wednesday),
        *((TWO, session, session) for session in (thursday, monday, wednesday)),
    }
    assert set(assessed_spans(announced)) == {
        AssessedSpan(portfolio_id=portfolio_id, first_session=first, last_session=last)
        for portfolio_id, first, last in spans
    }
    assert tuesday not in {headline.as_of for headline in announced}
    assert assessed_spans([]) == ()
