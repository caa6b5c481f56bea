"""What the rows of a book say alike night after night."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from shared.db.alike import Alike


def _of(table: str, *columns: str) -> Alike:
    return Alike(table=table, within="portfolio_id", columns=columns)


ALIKE: Final[Mapping[str, Alike]] = MappingProxyType(
    {
        alike.table: alike
        for alike in (
            _of("portfolio_measures", "measures", "observations", "window_sessions"),
            _of("portfolio_stress", "scenarios", "reverse_losses"),
            _of("portfolio_contributions", "factors", "symbols"),
            _of("portfolio_correlations", "symbols"),
        )
    }
)
