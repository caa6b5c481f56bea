"""A platform after a night, beside the second implementation of everything that it stored."""

import asyncio
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import pandas as pd

from tests.support.platform import Json, Platform
from tests.system.night import FACTOR_SET, INDEX, NIGHT, PORTFOLIOS, PROVIDER_BETAS, Night, body_of, sectors
from tests.system.plain.book import RISK_FACTORS, Book, book_of, factor_returns
from tests.system.plain.ledger import Day, days_of
from tests.system.plain.loadings import Basis, Loaded, basis_of, loaded
from tests.system.plain.measures import Measured, measures_of
from tests.system.plain.scenarios import Factors, factors_of
from tests.system.plain.symbols import Estimate
from tests.system.plain.symbols import factors_of as betas_of

PROXIES = {factor: FACTOR_SET.proxy(factor) for factor in RISK_FACTORS}


@dataclass
class Twice:
    """A platform after the night, its portfolios, and the second implementation of everything it stored."""

    platform: Platform
    night: Night
    run: Json
    portfolio_ids: dict[str, str]

    @cached_property
    def estimates(self) -> dict[str, dict[str, Estimate]]:
        """The factors of every symbol that is held or stands for a factor."""
        lots = [held for portfolio in PORTFOLIOS.values() for held in portfolio.positions if held.kind != "PRIVATE"]
        symbols = {held.symbol for held in lots} | {held.option.underlying for held in lots if held.option}
        symbols |= {proxy for proxy in PROXIES.values() if proxy}
        return {
            symbol: betas_of(
                symbol, self.night.prices, NIGHT, proxies=PROXIES, provider_beta=PROVIDER_BETAS.get(symbol)
            )
            for symbol in sorted(symbols)
        }

    @cached_property
    def days(self) -> dict[str, list[Day]]:
        """The sessions of every portfolio."""
        return {name: days_of(portfolio, self.night.prices, NIGHT) for name, portfolio in PORTFOLIOS.items()}

    @cached_property
    def books(self) -> dict[str, Book]:
        """What every portfolio holds at the end of the night."""
        betas = {symbol: {name: found.beta for name, found in row.items()} for symbol, row in self.estimates.items()}
        return {
            name: book_of(days[-1], self.night.prices, betas=betas, loadings=self.loadings, sectors=sectors())
            for name, days in self.days.items()
        }

    @cached_property
    def measures(self) -> dict[str, dict[str, Measured]]:
        """The risk of every portfolio at the end of the night."""
        return {name: measures_of(book, self.basis, INDEX) for name, book in self.books.items()}

    @cached_property
    def factor_returns(self) -> pd.DataFrame:
        """The returns of the factors' proxies."""
        return factor_returns(self.night.prices, PROXIES, NIGHT)

    @cached_property
    def factors(self) -> Factors:
        """How the factors move together."""
        return factors_of(self.basis)

    @cached_property
    def basis(self) -> Basis:
        """The factors of the model."""
        return basis_of(self.factor_returns, PROXIES)

    @cached_property
    def loadings(self) -> dict[str, Loaded]:
        """The loadings of every symbol with estimates."""
        return {symbol: loaded(symbol, self.night.prices, NIGHT, self.basis) for symbol in self.estimates}

    async def risk(self, name: str, what: str = "") -> Any:
        """What is served of the risk of a portfolio."""
        return await self.platform.api.get(f"/risk/portfolios/{self.portfolio_ids[name]}{what}", as_of=str(NIGHT))


async def enter(platform: Platform, night: Night) -> dict[str, str]:
    """Enter the portfolios, valued on their first session, then their flows as of the session that books them."""
    api = platform.api
    answers = {name: await api.post("/portfolios", body_of(portfolio)) for name, portfolio in PORTFOLIOS.items()}
    await asyncio.gather(*(api.ended(answer["run_id"]) for answer in answers.values()))
    edits = []
    for name, portfolio in PORTFOLIOS.items():
        for day, amount in portfolio.flows:
            path = f"/portfolios/{answers[name]['portfolio_id']}/flows?as_of={night.prices.sessions(day, NIGHT)[0]}"
            edits.append(await api.post(path, {"on": str(day), "amount": str(amount)}))
    await asyncio.gather(*(api.ended(edit["run_id"]) for edit in edits))
    return {name: answer["portfolio_id"] for name, answer in answers.items()}
