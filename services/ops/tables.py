"""Which tables of which service are told, computed, or known to it alone: what a rebuild fills and what it keeps."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from shared.db.tables import Results, Tables

# What a service of risk names the elements of its arrays by.
_OF_MEASURES = (
    *("values", "values_reasons", "values_details", "values_of_covered", "observations", "window_sessions"),
)
_OF_SCENARIOS = (
    *("direct", "direct_reasons", "direct_details", "direct_of_covered"),
    *("model", "model_reasons", "model_details", "model_of_covered"),
    *("extrapolated_shares", "realised_shares", "beyond_gross", "basis"),
)
# And a service of portfolios: each thing that is said of positions.
_OF_POSITIONS = (
    *("symbol", "sector", "quantity", "mark", "mark_source", "mark_age", "oversold", "splits_known"),
    *("market_value", "cost", "pnl", "exit_pnl", "realised_pnl", "dividends", "exposure"),
    *("value_reason", "value_detail", "underlying", "delta", "delta_reason", "delta_detail", "volatility"),
    *("implied_volatility", "implied_volatility_reason", "implied_volatility_detail"),
    *("gamma", "vega", "theta", "rho"),
)
_LABELS: Final[Mapping[str, tuple[str, ...]]] = MappingProxyType(
    {
        **dict.fromkeys(_OF_MEASURES, ("measures",)),
        **dict.fromkeys(_OF_SCENARIOS, ("scenarios",)),
        **dict.fromkeys(("coverages", "coverages_reasons", "coverages_details"), ("measures", "scenarios")),
        **dict.fromkeys(("weights", "by_holding", "marginal", "clusters"), ("symbols", "sectors")),
        **dict.fromkeys(
            (
                *("reverse_distances", "reverse_distances_reasons", "reverse_distances_details"),
                "reverse_distances_of_covered",
            ),
            ("reverse_losses",),
        ),
        "active": ("sectors",),
        **dict.fromkeys(("by_factor", "proxies", "reasons", "details", "largest"), ("factors",)),
    }
)

TABLES: Final[Mapping[str, Tables]] = MappingProxyType(
    {
        # The ledger holds what was asked for beside what came of it, and deadlines that no event tells.
        "scheduler": Tables(
            source=(
                *(
                    "runs",
                    "run_parts",
                    "run_stages",
                    "dead_letters",
                    "cell_parts",
                    "books",
                    "keyed_requests",
                    "webhook_deliveries",
                ),
                *(
                    "webhook_deliveries",
                    "triggers",
                    "fires",
                    "schedule_pauses",
                    "backfills",
                    "backfill_steps",
                    "redrives",
                    "redriven_letters",
                    "audit",
                ),
            )
        ),
        # What the providers said, which they may not say again.
        "market_data": Tables(
            source=(
                *("instruments", "bars", "delivered_bars", "rulings", "profiles", "findings", "onboardings"),
                *("income_statements", "balance_sheets", "cash_flow_statements"),
                *("attempts", "vendor_windows", "vendor_breakers", "vendor_answers", "rates", "rate_series", "audit"),
                *("identifiers", "corporate_actions", "constituents", "untold_universes"),
                *("absences", "run_requests", "held_symbols", "open_interest"),
            )
        ),
        "symbol_analytics": Tables(
            replicas=(
                *("price_symbols", "price_bars", "corrections", "held_closes"),
                *("profiles", "profile_figures", "statements"),
            ),
            results=(
                Results(head="symbol_estimates", key=("symbol", "as_of"), alike={"symbol_estimates": "as_of"}),
                Results(head="symbol_loadings", key=("symbol", "as_of")),
                Results(head="symbol_metrics", key=("symbol", "as_of"), alike={"symbol_metrics": "as_of"}),
            ),
            # The numbers of the definitions that the results name.
            source=("factor_sets",),
        ),
        "portfolio": Tables(
            replicas=("price_symbols", "price_bars", "profiles", "risk_free_rates"),
            workings=("price_changes",),
            results=(
                Results(
                    head="snapshots",
                    key=("portfolio_id", "as_of"),
                    details={"book_values": ()},
                    rolled=True,
                    labels=dict.fromkeys(_OF_POSITIONS, ("position_id",)),
                    alike={"book_values": "portfolio_id"},
                ),
            ),
            # Books are entered by hand.
            source=(
                *("portfolios", "positions", "position_exits", "flows", "book_edits", "calculations"),
                *("keyed_requests", "audit"),
            ),
        ),
        "risk": Tables(
            replicas=("price_symbols", "price_bars", "corrections", "held_closes", "profiles", "betas", "books"),
            workings=("touched_books",),
            results=(
                Results(
                    head="assessments",
                    key=("portfolio_id", "as_of"),
                    details={
                        "portfolio_factors": ("factor",),
                        "portfolio_sectors": ("sector",),
                        "portfolio_measures": (),
                        "portfolio_stress": (),
                        "portfolio_correlations": (),
                        "portfolio_contributions": (),
                        "portfolio_active_sectors": (),
                    },
                    labels=_LABELS,
                    alike=dict.fromkeys(
                        (
                            *("portfolio_measures", "portfolio_stress"),
                            *("portfolio_contributions", "portfolio_correlations"),
                        ),
                        "portfolio_id",
                    ),
                ),
                Results(head="factor_moves", key=("as_of", "digest"), revised=False, labels=_LABELS),
            ),
            # Weights of indices are loaded by hand; a rebuild over some nights hears of no owner and no list of
            # constituents that was told before.
            source=("benchmarks", "constituents", "owners", "audit"),
        ),
    }
)
