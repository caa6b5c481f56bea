"""Sessions that a vendor does not have yet: nobody else is asked in its place, which would change the series."""

from collections.abc import Mapping, Sequence

from services.market_data.core.attempts import Attempt, Outcome


def waiting_for(
    late: Mapping[str, str], symbols: Sequence[str], source: Mapping[str, str], vendors: Sequence[str]
) -> dict[str, dict[str, Attempt]]:
    """Return of which symbols which vendors are not asked now, and what is said instead.

    Parameters
    ----------
    late : mapping of vendor to str
        Who does not have the session yet, and until when.
    symbols : sequence of str
    source : mapping of symbol to vendor
        Who gave the bars that are stored: a symbol of one that is late waits for it.
    vendors : sequence of str
        All of the chain.
    """
    waiting = {
        vendor: dict.fromkeys(symbols, Attempt(vendor, said, Outcome.NOT_ASKED)) for vendor, said in late.items()
    }
    for vendor in vendors:
        if vendor not in late:
            own = {
                symbol: Attempt(vendor, f"its bars are those of {source[symbol]}, which is late", Outcome.NOT_ASKED)
                for symbol in symbols
                if source.get(symbol) in late
            }
            waiting |= {vendor: own} if own else {}
    return waiting
