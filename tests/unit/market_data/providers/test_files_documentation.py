"""The examples of docs/files-provider.md do what it says."""

import asyncio
import re
import subprocess
import sys
from datetime import date
from pathlib import Path

import numpy as np
import pytest

from services.market_data.core.adjustment import total_return_adjusted
from services.market_data.core.bar_checks import Request, check_rows
from services.market_data.core.findings import Rule
from services.market_data.core.statement_checks import check_statements
from services.market_data.core.statements import complete_statements
from services.market_data.providers.files import FilesProvider
from services.market_data.providers.price_header import BASIS, NUMBERS
from services.market_data.providers.statement_file import LABELS
from shared.fundamentals import FREQUENCIES, ITEMS, STATEMENTS
from shared.profile import ProfileFacts
from tests.unit.market_data.providers.directories import write

TEXT = (Path(__file__).parents[4] / "docs" / "files-provider.md").read_text()
PRICES, PROFILES, FUNDAMENTALS = re.findall(r"```csv\n(.*?)```", TEXT, re.DOTALL)
(MELT,) = re.findall(r"```python\n(.*?)```", TEXT, re.DOTALL)
DAYS = (date(2024, 3, 4), date(2024, 3, 5))


async def test_documented_prices_are_accepted_and_their_adjusted_close_is_the_one_we_would_derive(
    tmp_path: Path,
) -> None:
    write(tmp_path, PRICES)

    fetched = await FilesProvider(tmp_path).fetch_bars(["ACME", "BRK.B"], *DAYS)
    checked = check_rows(fetched.rows, Request("files", np.array(DAYS, dtype="datetime64[D]"), DAYS[1]))

    assert (fetched.findings, checked.findings) == ((), ())
    bars = checked.bars
    assert bars.close.tolist() == [[100.0, 405.1], [51.0, 407.3]]
    assert (bars.split[1, 0], bars.dividend[1, 0]) == (2.0, 1.0)
    assert bars.adjusted == pytest.approx(total_return_adjusted(bars.close, bars.split, bars.dividend))


async def test_documented_profile_is_accepted(tmp_path: Path) -> None:
    write(tmp_path, PROFILES, "profiles.csv")

    fetched = await FilesProvider(tmp_path).fetch_profiles(["ACME"])

    assert fetched.findings == ()
    acme = fetched.profiles["ACME"]
    assert (acme.name, acme.beta, acme.market_cap, acme.last_updated) == ("Acme, Inc.", 1.1, 12.5e9, date(2024, 3, 1))
    assert (acme.next_earnings_date, acme.current_year_end_date) == (date(2024, 4, 25), date(2024, 12, 31))


async def test_documented_fundamentals_are_accepted_and_what_is_said_to_be_computed_is(tmp_path: Path) -> None:
    write(tmp_path, FUNDAMENTALS, "fundamentals.csv")

    fetched = await FilesProvider(tmp_path).fetch_statements(["ACME"])
    checked = check_statements(fetched.statements["ACME"], provider="files", today=date(2024, 3, 5))

    assert (fetched.findings, checked.findings) == ((), ())
    income, balance, cash_flow, annual = complete_statements(checked.statements)
    assert (income.given.published_on, income.counts_from) == (date(2024, 2, 1), date(2024, 2, 1))
    assert annual.counts_from == date(2024, 3, 30)
    assert income.derived == {
        "gross_profit": 4e8,
        "gross_margin": 0.4,
        "operating_margin": 0.25,
        "net_margin": 0.18,
    }
    assert balance.derived == {
        "total_debt": 1e9,
        "net_debt": 6e8,
        "debt_to_equity": 1e9 / 2.45e9,
        "book_value_per_share": 10.0,
    }
    assert cash_flow.derived == {"free_cash_flow": 2.5e8, "fcf_margin": 0.25}


async def test_documented_melt_turns_a_wide_table_into_a_price_file(tmp_path: Path) -> None:
    write(tmp_path, "Date,AAA,BBB\n2024-03-04,1.5,2.5\n2024-03-05,1.6,\n", "wide.csv")
    program = MELT.replace("adjusted_closes.csv.gz", "wide.csv")

    await asyncio.to_thread(subprocess.run, [sys.executable, "-c", program], check=True, cwd=tmp_path)

    fetched = await FilesProvider(tmp_path).fetch_bars(["AAA", "BBB"], *DAYS)
    assert fetched.findings == ()
    assert fetched.rows.close.tolist() == [1.5, 1.6, 2.5]


def test_documentation_names_every_rule_and_every_column() -> None:
    items = {name for statement in STATEMENTS for name in ITEMS[statement]}
    columns = {"symbol", "date", BASIS, *NUMBERS, *ProfileFacts.model_fields, *LABELS}
    columns |= {*STATEMENTS, *FREQUENCIES, *items}
    missing = [name for name in [*Rule, *sorted(columns)] if not re.search(rf"\b{name}\b", TEXT)]

    assert missing == []
