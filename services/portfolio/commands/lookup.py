"""What a use case is about, or the refusal where there is no such thing."""

from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from services.portfolio.commands.errors import UnknownPortfolio
from services.portfolio.core.portfolios import Portfolio
from services.portfolio.storage.repository import PortfolioRepository


async def get_portfolio(connection: AsyncConnection, portfolio_id: UUID, *, lock: bool = False) -> Portfolio:
    """Return a portfolio; with `lock`, nobody else changes or values it meanwhile.

    Raises
    ------
    UnknownPortfolio
    """
    found = await PortfolioRepository(connection).load_portfolios([portfolio_id], lock=lock)
    if not found:
        raise UnknownPortfolio(portfolio_id)
    return found[0]
