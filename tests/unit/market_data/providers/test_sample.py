import subprocess
import sys
from datetime import date

import numpy as np
import pytest

from services.market_data.core.bar_checks import Request, check_rows
from services.market_data.providers.provider import SampleNotInstalled
from services.market_data.providers.sample import SampleProvider
from services.market_data.providers.sample_profiles import SAMPLE_PROFILES
from shared.calendar import sessions_between
from shared.factor_set import SAMPLE_FACTOR_SET

LAST = date(2022, 12, 28)


async def test_sample_has_every_symbol_of_its_factor_set_on_every_session() -> None:
    first = date(2014, 1, 2)
    fetched = await SampleProvider().fetch_bars(sorted(SAMPLE_PROFILES), first, LAST)

    sessions = np.array(sessions_between(first, LAST), dtype="datetime64[D]")
    checked = check_rows(fetched.rows, Request("sample", sessions, LAST))
    assert fetched.unavailable == {}
    assert len(SAMPLE_PROFILES) == 26
    assert checked.findings == ()
    assert checked.bars.present.all()
    assert np.array_equal(checked.bars.close, checked.bars.adjusted)
    assert set(SAMPLE_FACTOR_SET.tickers()) <= set(checked.bars.symbols)


async def test_sample_holds_the_published_closes() -> None:
    fetched = await SampleProvider().fetch_bars(["AAPL", "SPX"], LAST, LAST)

    assert fetched.rows.close.tolist() == [125.674, 3783.22]


async def test_sample_without_its_package_says_which_one() -> None:
    with pytest.raises(SampleNotInstalled, match="no-such-package"):
        await SampleProvider("no-such-package").fetch_bars(["AAPL"], LAST, LAST)
    with pytest.raises(SampleNotInstalled):
        await SampleProvider("numpy").fetch_bars(["AAPL"], LAST, LAST)


def test_sample_is_read_without_importing_its_package() -> None:
    program = (
        "import asyncio, sys, datetime\n"
        "from services.market_data.providers.sample import SampleProvider\n"
        "day = datetime.date(2022, 12, 28)\n"
        "fetched = asyncio.run(SampleProvider().fetch_bars(['AAPL'], day, day))\n"
        "assert len(fetched.rows) == 1\n"
        "assert 'skfolio' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", program], check=True)


async def test_sample_profiles_invent_no_beta() -> None:
    assert all(profile.beta is None and profile.market_cap is None for profile in SAMPLE_PROFILES.values())
