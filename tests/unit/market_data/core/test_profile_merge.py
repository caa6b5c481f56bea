from datetime import UTC, date, datetime
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from services.market_data.core.profile_merge import (
    MONEY,
    PERIODS,
    KnownProfile,
    Origin,
    facts_beside,
    merge_answers,
    merge_profile,
)
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


def answered(before: KnownProfile | None, *answers: tuple[str, dict[str, Any]]) -> KnownProfile:
    given = [(ProfileFacts(symbol="KO", **facts), source) for source, facts in answers]
    return merge_answers(before, given, symbol="KO", fetched_at=TUESDAY)


def test_each_fact_is_from_the_first_provider_of_a_call_that_gives_it() -> None:
    dated = date(2024, 3, 1)
    one = ("one", {"name": "Fizz", "market_cap": 2e9, "last_updated": date(2024, 3, 5)})
    two = ("two", {"name": "Fizz Co.", "ceo": "Ann", "shares_outstanding": 1e6, "last_updated": dated})

    merged = answered(None, one, two, ("three", {"ceo": "Bo", "website": "fizz.example"}))

    assert (merged.facts.name, merged.facts.ceo, merged.facts.website) == ("Fizz", "Ann", "fizz.example")
    facts = ("name", "market_cap", "ceo", "shares_outstanding", "website")
    assert [merged.origin(fact).source for fact in facts] == ["one", "one", "two", "two", "three"]
    assert merged.counts_from() == {"market_cap": date(2024, 3, 5), "shares_outstanding": dated}
    assert answered(merged, one, two) is merged, "said again it is nothing new"


def test_money_in_another_currency_is_not_what_a_profile_lacks() -> None:
    merged = answered(
        None,
        ("one", {"currency": "USD", "name": "Fizz"}),
        ("two", {"currency": "GBP", "market_cap": 1e9}),
    )

    assert (merged.facts.currency, merged.facts.market_cap) == ("USD", None)
    assert {"market_cap", "week_52_low", "target_mean_price", "forward_eps", "total_revenue"} <= MONEY
    assert not {"pe_ratio", "beta", "shares_outstanding", "current_year_revenue_growth"} & MONEY


def test_estimates_of_two_providers_are_of_the_same_period_or_do_not_meet() -> None:
    june, september = date(2024, 6, 30), date(2024, 9, 30)
    first = {"current_quarter_target_period_date": june, "current_quarter_eps_avg": 1.5}
    low = {"current_quarter_eps_low": 1.4}

    same = answered(None, ("one", first), ("two", {"current_quarter_target_period_date": june, **low}))
    other = answered(None, ("one", first), ("two", {"current_quarter_target_period_date": september, **low}))

    assert (same.facts.current_quarter_eps_avg, same.facts.current_quarter_eps_low) == (1.5, 1.4)
    assert same.origin("current_quarter_target_period_date").source == "one"
    assert same.origin("current_quarter_eps_low").source == "two"
    assert (other.facts.current_quarter_target_period_date, other.facts.current_quarter_eps_low) == (june, None)


@given(PROFILES, PROFILES)
def test_second_answer_changes_nothing_of_the_first_and_is_new_once(first: ProfileFacts, second: ProfileFacts) -> None:
    answers = [(first, "one"), (second, "two")]
    merged = merge_answers(None, answers, symbol="KO", fetched_at=TUESDAY)

    for fact in FACTS:
        said = getattr(first, fact)
        assert getattr(merged.facts, fact) == said or said is None
        assert said is None or merged.origin(fact).source == "one"
    assert all(getattr(second, fact) == value for fact, value in facts_beside(first, second) if value is not None)
    assert merge_answers(merged, answers, symbol="KO", fetched_at=TUESDAY) is merged


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
