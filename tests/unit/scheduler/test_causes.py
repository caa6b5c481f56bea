"""Failures grouped by what caused them."""

import pytest

from services.scheduler.core.causes import Failed, causes_of

PRICES, FACTORED, MEASURED, VALUED = "prices.updated", "symbols.factored", "symbols.measured", "portfolios.valued"


def failed(stage: str, subject: str, detail: str = "nobody has it", reason: str = "MISSING_DATA") -> Failed:
    return Failed(stage, subject, reason, detail)


def test_eighteen_symbols_of_one_reason_are_one_cause_with_what_came_of_it() -> None:
    symbols = [f"S{index:02}" for index in range(18)]
    failures = [failed(PRICES, symbol, f"no provider has {symbol}") for symbol in symbols]
    failures += [failed(stage, symbol, "0 of 60 sessions") for stage in (MEASURED, FACTORED) for symbol in symbols]

    (cause,) = causes_of(reversed(failures), {"S00": ["mine"], "S17": ["yours", "mine"], "AAPL": ["other"]})

    assert (cause.stage, cause.reason, cause.detail) == (PRICES, "MISSING_DATA", "no provider has S00")
    assert cause.subjects == tuple(symbols)
    assert cause.then == (FACTORED, MEASURED)
    assert cause.portfolios == ("mine", "yours")


@pytest.mark.parametrize(
    ("one", "other", "causes"),
    [
        (failed(FACTORED, "A", "42 of 60 sessions"), failed(FACTORED, "B", "7 of 60 sessions"), 1),
        (failed(FACTORED, "A", "since 2025-03-14"), failed(FACTORED, "B", "since 2024-11-01"), 1),
        (failed(FACTORED, "A", "A has none"), failed(FACTORED, "B", "B has none"), 1),
        (failed(FACTORED, "BRK.B", "no BRK.B, none"), failed(FACTORED, "^GSPC", "no ^GSPC, none"), 1),
        (failed(FACTORED, "A", "none At All"), failed(FACTORED, "B", "none Bt All"), 2),
        (failed(FACTORED, "A"), failed(FACTORED, "B", reason="DEGENERATE_INPUT"), 2),
        (failed(FACTORED, "A"), failed(MEASURED, "B"), 2),
        (failed(FACTORED, "A", "a gap"), failed(FACTORED, "B", "a hole"), 2),
    ],
    ids=["numbers", "dates", "names", "names of signs", "letters of a name", "reasons", "stages", "details"],
)
def test_what_differs_in_numbers_and_names_only_is_one_cause(one: Failed, other: Failed, causes: int) -> None:
    assert len(causes_of([one, other], {})) == causes


def test_subject_that_failed_in_one_stage_only_is_not_counted_with_those_that_failed_in_more() -> None:
    causes = causes_of([failed(PRICES, "A"), failed(PRICES, "B"), failed(FACTORED, "B")], {})
    assert [(cause.subjects, cause.then) for cause in causes] == [(("A",), ()), (("B",), (FACTORED,))]


def test_causes_come_by_how_many_they_concern_then_by_stage_and_repetitions_count_once() -> None:
    failures = [
        failed(VALUED, "book", "broken", "ValueError"),
        *[failed(FACTORED, symbol, "short") for symbol in ("A", "A", "B")],
        failed(PRICES, "C"),
    ]
    causes = causes_of(failures, {"book": ["book"]})
    assert [(cause.stage, cause.subjects) for cause in causes] == [
        (FACTORED, ("A", "B")),
        (PRICES, ("C",)),
        (VALUED, ("book",)),
    ]
    assert causes[-1].portfolios == ("book",)


def test_stage_that_nobody_knows_comes_last_and_nothing_failed_has_no_cause() -> None:
    assert [cause.stage for cause in causes_of([failed("later.stage", "A"), failed(VALUED, "B")], {})] == [
        VALUED,
        "later.stage",
    ]
    assert causes_of([], {}) == []
