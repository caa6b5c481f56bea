from datetime import UTC, date, datetime
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from services.market_data.core.profile_merge import PERIODS, KnownProfile, Origin, merge_profile
from shared.profile import FACTS, ProfileFacts

MONDAY = datetime(2024, 3, 4, 22, tzinfo=UTC)
TUESDAY = datetime(2024, 3, 5, 22, tzinfo=UTC)
KINDS: dict[Any, st.SearchStrategy[Any]] = {
    str | None: st.sampled_from([None, "a", "b"]),
    bool | None: st.sampled_from([None, True, False]),
    int | None: st.sampled_from([None, 0, 7]),
    float | None: st.sampled_from([None, 0.0, 1.5]),
    date | None: st.sampled_from([None, date(2024, 6, 30), date(2024, 9, 30)]),
}
PROFILES = st.fixed_dictionaries({name: KINDS[ProfileFacts.model_fields[name].annotation] for name in FACTS}).map(
    lambda facts: ProfileFacts(symbol="KO", **facts)
)


def known(source: str = "one", at: datetime = MONDAY, **facts: Any) -> KnownProfile:
    return merge_profile(None, ProfileFacts(symbol="KO", **facts), source=source, fetched_at=at)


def told(before: KnownProfile, source: str = "two", **facts: Any) -> KnownProfile:
    return merge_profile(before, ProfileFacts(symbol="KO", **facts), source=source, fetched_at=TUESDAY)


def test_defect_e46_nulls_of_a_profile_that_knows_less_overwrite_nothing() -> None:
    before = known(name="Coca-Cola", sector="Consumer Staples", pe_ratio=24.0)

    after = told(before, pe_ratio=25.0)

    assert (after.facts.name, after.facts.sector, after.facts.pe_ratio) == ("Coca-Cola", "Consumer Staples", 25.0)
    assert after.origin("sector") == Origin("one", MONDAY)
    assert after.origin("pe_ratio") == Origin("two", TUESDAY)
    assert (after.source, after.fetched_at) == ("two", TUESDAY)


def test_profile_that_says_nothing_new_is_the_known_one() -> None:
    before = known(name="Coca-Cola", market_cap=2.6e11, last_updated=date(2024, 3, 1))

    assert told(before) is before
    assert told(before, name="Coca-Cola", market_cap=2.6e11, last_updated=date(2024, 3, 1)) is before


def test_estimates_of_a_new_fiscal_year_do_not_mix_with_those_of_the_old_one() -> None:
    year, next_year = date(2024, 12, 31), date(2025, 12, 31)
    before = known(current_year_end_date=year, current_year_earnings_avg=2.8, current_year_earnings_low=2.7)

    same_year = told(before, current_year_end_date=year, current_year_earnings_avg=2.9)
    rolled = told(before, current_year_end_date=next_year, current_year_earnings_avg=3.0)
    undated = told(before, current_year_earnings_avg=3.0)

    assert same_year.facts.current_year_earnings_low == 2.7
    assert (rolled.facts.current_year_earnings_avg, rolled.facts.current_year_earnings_low) == (3.0, None)
    assert (undated.facts.current_year_end_date, undated.facts.current_year_earnings_low) == (None, None)


def test_beta_and_its_date_go_together() -> None:
    before = known(beta=1.1, beta_as_of=date(2024, 3, 1))

    assert told(before, name="x").facts.beta == 1.1
    newer = told(before, beta=1.2, beta_as_of=date(2024, 3, 5)).facts
    assert (newer.beta, newer.beta_as_of) == (1.2, date(2024, 3, 5))


def test_figure_counts_from_the_day_it_is_dated_and_undated_from_the_day_it_was_fetched() -> None:
    dated = known(market_cap=1e9, dividend_yield=0.03, last_updated=date(2024, 2, 1))

    assert dated.counts_from() == {"market_cap": date(2024, 2, 1), "dividend_yield": date(2024, 2, 1)}
    assert known(shares_outstanding=1e6).counts_from() == {"shares_outstanding": MONDAY.date()}
    again = told(dated, market_cap=1e9, last_updated=date(2024, 3, 5))
    assert again.counts_from() == {"market_cap": date(2024, 3, 5), "dividend_yield": date(2024, 2, 1)}


@given(PROFILES, PROFILES)
def test_what_is_given_is_known_and_what_is_not_given_stays_unless_its_period_is_over(
    first: ProfileFacts, second: ProfileFacts
) -> None:
    before = merge_profile(None, first, source="one", fetched_at=MONDAY)
    after = merge_profile(before, second, source="two", fetched_at=TUESDAY)

    period_of = {fact: day for day, facts in PERIODS.items() for fact in (*facts, day)}
    for fact in FACTS:
        said, had, has = (getattr(facts, fact) for facts in (second, first, after.facts))
        day = period_of.get(fact)
        if said is not None:
            assert has == said
        elif day is None or getattr(second, day) == getattr(first, day):
            assert has == had
        else:
            assert has in {had, None}
    assert merge_profile(after, second, source="two", fetched_at=TUESDAY) is after
