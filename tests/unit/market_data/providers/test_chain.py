from collections.abc import Sequence
from datetime import date
from pathlib import Path

import pytest

from services.market_data.core.tiers import EVERYTHING, DueTiers, Tier
from services.market_data.main import build_chain, build_providers
from services.market_data.providers.chain import ProviderChain
from services.market_data.providers.files import FilesProvider
from services.market_data.providers.provider import (
    FetchedBars,
    FetchedProfiles,
    FetchedStatements,
    Kind,
    ProviderError,
)
from services.market_data.providers.sample import SampleProvider
from services.market_data.settings import MarketDataSettings
from shared.metrics.service_metrics import ServiceMetrics
from shared.profile import ProfileFacts
from shared.unavailable import Reason, Unavailable
from tests.unit.market_data.providers.directories import FIRST, GOOD, LAST, check, write

TODAY = date(2022, 4, 1)


class Unreachable:
    """A vendor that is down."""

    name = "vendor"
    facts = frozenset({"name"})

    async def edition(self, kind: Kind) -> str:
        return ""

    async def fetch_bars(self, symbols: Sequence[str], first: date, last: date) -> FetchedBars:
        raise ProviderError("vendor did not answer")

    async def fetch_profiles(self, symbols: Sequence[str], _: DueTiers = EVERYTHING, /) -> FetchedProfiles:
        raise ProviderError("vendor did not answer")

    async def fetch_statements(self, symbols: Sequence[str]) -> FetchedStatements:
        raise ProviderError("vendor did not answer")


def _files(directory: Path, text: str) -> FilesProvider:
    directory.mkdir()
    write(directory, text)
    return FilesProvider(directory)


BAD = "symbol,date,close\nKO,2022-03-01,0\nKO,2022-03-02,-3\nAAPL,2022-03-01,163.20\n"


async def test_chain_asks_the_next_provider_for_a_symbol_whose_every_row_was_rejected(tmp_path: Path) -> None:
    chain = ProviderChain([_files(tmp_path / "bad", BAD), Unreachable(), _files(tmp_path / "good", GOOD)])

    fetched = await chain.fetch_bars(["AAPL", "KO"], FIRST, LAST, check)

    assert [answer.bars.symbols for answer in fetched.answers] == [("AAPL",), ("KO",)]
    assert [len(answer.findings) for answer in fetched.answers] == [2, 0]
    assert fetched.attempts.unanswered == ()


async def test_chain_says_by_which_rules_the_rows_of_every_provider_were_rejected(tmp_path: Path) -> None:
    chain = ProviderChain([_files(tmp_path / "bad", BAD), _files(tmp_path / "other", "symbol,date,close\n")])

    fetched = await chain.fetch_bars(["KO"], FIRST, LAST, check)

    assert fetched.attempts.unavailable["KO"] == Unavailable(
        Reason.MISSING_DATA,
        "no provider serves KO (files: its rows were rejected: 2 NON_POSITIVE_CLOSE; files: not in prices.csv)",
    )
    assert fetched.attempts.undecided == ()


async def test_chain_asks_the_next_provider_for_what_is_missing_only(tmp_path: Path) -> None:
    write(tmp_path, GOOD)
    chain = ProviderChain([FilesProvider(tmp_path), SampleProvider()])

    fetched = await chain.fetch_bars(["MSFT", "KO", "KO"], FIRST, LAST, check)

    assert [(answer.provider, answer.bars.symbols) for answer in fetched.answers] == [
        ("files", ("KO",)),
        ("sample", ("MSFT",)),
    ]
    assert [(a.provider, a.detail) for a in fetched.attempts.by_symbol["MSFT"]] == [("files", "not in prices.csv")]
    assert fetched.attempts.unanswered == ()


async def test_chain_takes_a_symbol_with_few_rows_from_one_provider_alone(tmp_path: Path) -> None:
    write(tmp_path, GOOD)  # two sessions of March; the sample has all of them
    chain = ProviderChain([FilesProvider(tmp_path), SampleProvider()])

    fetched = await chain.fetch_bars(["AAPL"], FIRST, LAST, check)

    assert [answer.bars.present.sum() for answer in fetched.answers] == [2]


async def test_chain_explains_what_every_provider_said_about_an_unknown_symbol(tmp_path: Path) -> None:
    write(tmp_path, GOOD)

    fetched = await ProviderChain([FilesProvider(tmp_path), SampleProvider()]).fetch_bars(["XYZ"], FIRST, LAST, check)

    assert fetched.attempts.unavailable == {
        "XYZ": Unavailable(
            Reason.MISSING_DATA, "no provider serves XYZ (files: not in prices.csv; sample: not in the sample)"
        )
    }
    assert fetched.attempts.undecided == ()


async def test_chain_with_a_failing_provider_goes_on_and_leaves_its_symbols_undecided() -> None:
    fetched = await ProviderChain([Unreachable(), SampleProvider()]).fetch_bars(["AAPL", "XYZ"], FIRST, LAST, check)

    assert [answer.bars.symbols for answer in fetched.answers] == [("AAPL",)]
    assert fetched.attempts.undecided == ("XYZ",)
    assert "vendor: vendor did not answer" in fetched.attempts.unavailable["XYZ"].detail


async def test_chain_with_a_broken_directory_is_undecided_and_says_what_is_wrong(tmp_path: Path) -> None:
    fetched = await ProviderChain([FilesProvider(tmp_path)]).fetch_bars(["AAPL"], FIRST, LAST, check)

    assert fetched.attempts.undecided == ("AAPL",)
    assert "must hold one of" in fetched.attempts.unavailable["AAPL"].detail


async def test_chain_without_providers_says_so() -> None:
    fetched = await ProviderChain([]).fetch_bars(["AAPL"], FIRST, LAST, check)

    assert fetched.attempts.unavailable["AAPL"].detail == "no provider serves AAPL (none is configured)"


async def test_chain_asks_the_next_provider_for_profiles_that_are_missing_and_for_what_others_lack(
    tmp_path: Path,
) -> None:
    write(tmp_path, GOOD)
    write(tmp_path, "symbol,name\nKO,Mine\n", "profiles.csv")

    fetched = await ProviderChain([Unreachable(), FilesProvider(tmp_path), SampleProvider()]).fetch_profiles(
        ["KO", "MSFT", "XYZ"]
    )

    names = [{s: p.name for s, p in answer.profiles.items()} for answer in fetched.answers]
    assert names == [{"KO": "Mine"}, {"KO": "The Coca-Cola Company", "MSFT": "Microsoft Corporation"}]
    assert fetched.attempts.unanswered == ("XYZ",)


async def test_chain_takes_all_statements_of_a_symbol_from_the_first_provider_that_has_any(tmp_path: Path) -> None:
    header = "symbol,statement,frequency,period_end,ebit\n"
    first, second = tmp_path / "first", tmp_path / "second"
    for directory, rows in (
        (first, "KO,income,annual,2021-12-31,1\n"),
        (second, "KO,income,annual,2021-12-31,2\nKO,income,annual,2020-12-31,3\nPEP,income,annual,2021-12-25,4\n"),
    ):
        directory.mkdir()
        write(directory, header + rows, "fundamentals.csv")
    chain = ProviderChain([Unreachable(), FilesProvider(first), SampleProvider(), FilesProvider(second)])

    fetched = await chain.fetch_statements(["KO", "PEP", "XYZ"], TODAY)

    given = {s: [r.items["ebit"] for r in rows] for answer in fetched.answers for s, rows in answer.statements.items()}
    assert given == {"KO": [1.0], "PEP": [4.0]}
    assert fetched.attempts.undecided == ("XYZ",)
    assert [a.detail for a in fetched.attempts.by_symbol["PEP"]] == [
        "vendor did not answer",
        "not in fundamentals.csv",
        "no statements in the sample",
    ]


async def test_chain_asks_the_next_provider_for_statements_whose_every_row_was_rejected(tmp_path: Path) -> None:
    header = "symbol,statement,frequency,period_end,ebit,cost_of_revenue\n"
    bad, good = tmp_path / "bad", tmp_path / "good"
    for directory, rows in (
        (bad, "KO,income,annual,2023-12-31,1,\nKO,income,annual,2020-12-31,,-1\nPEP,income,annual,2021-12-25,9,-1\n"),
        (good, "KO,income,annual,2021-12-31,2,\nPEP,income,annual,2021-12-25,4,\n"),
    ):
        directory.mkdir()
        write(directory, header + rows, "fundamentals.csv")
    chain = ProviderChain([FilesProvider(bad), FilesProvider(good)])

    fetched = await chain.fetch_statements(["KO", "PEP"], TODAY)

    given = {s: [r.items for r in rows] for answer in fetched.answers for s, rows in answer.statements.items()}
    assert given == {"PEP": [{"ebit": 9.0}], "KO": [{"ebit": 2.0}]}, "an item that was set aside costs itself only"
    assert len(fetched.answers[0].findings) == 4
    said = "its rows were rejected: 1 FUTURE_DATE, 1 MISSING_VALUE, 1 UNUSABLE_FIELD"
    assert [attempt.detail for attempt in fetched.attempts.by_symbol["KO"]] == [said]


async def test_chain_asks_the_next_provider_for_a_profile_of_which_no_fact_can_be_used(tmp_path: Path) -> None:
    bad, good = tmp_path / "bad", tmp_path / "good"
    for directory, row in ((bad, "KO,,much\n"), (good, "KO,Mine,2\n")):
        directory.mkdir()
        write(directory, "symbol,name,market_cap\n" + row, "profiles.csv")
    chain = ProviderChain([FilesProvider(bad), FilesProvider(good)])

    fetched = await chain.fetch_profiles(["KO"])

    assert [list(answer.profiles) for answer in fetched.answers] == [[], ["KO"]]
    assert [finding.detail for finding in fetched.answers[0].findings] == ["market_cap 'much'"]
    assert [attempt.detail for attempt in fetched.attempts.by_symbol["KO"]] == ["no fact of its row can be used"]


async def test_chain_edition_changes_with_a_price_file_and_survives_a_missing_one(tmp_path: Path) -> None:
    chain = ProviderChain([FilesProvider(tmp_path), SampleProvider()])
    without = await chain.edition(Kind.BARS)
    write(tmp_path, GOOD)
    with_file = await chain.edition(Kind.BARS)
    write(tmp_path, GOOD + "KO,2022-03-03,62.5,60.1\n")

    assert len({without, with_file, await chain.edition(Kind.BARS)}) == 3


@pytest.mark.parametrize(("said", "answers"), [("false", 1), ("true", 0)])
async def test_chain_asks_for_no_profiles_where_the_valuations_are_skipped(
    monkeypatch: pytest.MonkeyPatch, said: str, answers: int
) -> None:
    monkeypatch.setenv("SKIP_PHASE0_VALUATIONS", said)
    settings = MarketDataSettings(providers=("sample",))
    chain = build_chain(settings, build_providers(settings), ServiceMetrics("market_data"))

    profiles = await chain.fetch_profiles(["AAPL"])

    assert (len(profiles.answers), profiles.attempts.undecided) == (answers, ())
    assert len((await chain.fetch_bars(["AAPL"], FIRST, LAST, check)).answers) == 1
    assert len((await chain.fetch_statements(["AAPL"], TODAY)).answers) == 1


async def test_chain_names_the_first_provider_that_has_a_symbol_or_says_why_none_has(tmp_path: Path) -> None:
    chain = ProviderChain([Unreachable(), _files(tmp_path / "one", BAD), _files(tmp_path / "two", GOOD)])

    found = await chain.find_sources(["KO", "NONE"], FIRST, LAST)

    why = "no provider serves NONE (vendor: vendor did not answer; files: not in prices.csv; files: not in prices.csv)"
    assert found == {"KO": "files", "NONE": Unavailable(Reason.MISSING_DATA, why)}


class Companies:
    """A vendor that knows some facts of KO, and remembers what it was asked for."""

    def __init__(self, vendor: str, **facts: object) -> None:
        self.name, self.asked = vendor, list[list[str]]()
        self.known = ProfileFacts.model_validate({"symbol": "KO", **facts})
        self.facts = frozenset(facts)

    async def edition(self, _: Kind) -> str:
        return ""

    async def fetch_profiles(self, symbols: Sequence[str], _: DueTiers = EVERYTHING, /) -> FetchedProfiles:
        self.asked.append(list(symbols))
        absent = Unavailable(Reason.MISSING_DATA, "not there")
        known = {"KO": self.known} if "KO" in symbols else {}
        return FetchedProfiles(self.name, known, {each: absent for each in symbols if each != "KO"})


async def test_what_a_profile_lacks_is_asked_of_who_may_have_it_and_of_nobody_else() -> None:
    one = Companies("one", name="Fizz", sector="Staples")
    same, other = Companies("same", name="Fizz Co."), Companies("other", ceo="Ann", name="Fizz Co.")
    chain = ProviderChain([one, same, other])

    fetched = await chain.fetch_profiles(["KO"])

    assert [answer.provider for answer in fetched.answers] == ["one", "other"]
    assert (same.asked, other.asked) == ([], [["KO"]])
    assert fetched.attempts.by_symbol == {}


async def test_where_only_valuations_are_due_nobody_else_is_asked_for_what_they_lack() -> None:
    one, other = Companies("one", market_cap=1e9), Companies("other", ceo="Ann", week_52_low=1.0)
    valued = {"KO": frozenset({Tier.VALUATIONS})}

    await ProviderChain([one, other]).fetch_profiles(["KO"], tiers=valued)
    assert other.asked == []

    await ProviderChain([one, other]).fetch_profiles(["KO"], tiers={"KO": valued["KO"] | {Tier.ESTIMATES}})
    assert other.asked == [["KO"]]


async def test_what_the_second_provider_says_of_a_symbol_that_has_a_profile_is_kept_and_settles_it() -> None:
    one, down = Companies("one", name="Fizz"), Unreachable()
    down.facts = frozenset({"ceo"})

    fetched = await ProviderChain([one, down]).fetch_profiles(["KO"])

    assert [answer.provider for answer in fetched.answers] == ["one"]
    assert [attempt.detail for attempt in fetched.attempts.by_symbol["KO"]] == ["vendor did not answer"]
    assert fetched.attempts.undecided == ()
