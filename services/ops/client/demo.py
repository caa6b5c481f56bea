"""The demo: three portfolios over real sample prices, a month of sessions, and what came of it."""

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from importlib.resources import files
from itertools import chain
from typing import Final

from rich.console import RenderableType

from services.ops.client.answers.numbers import Measure
from services.ops.client.answers.portfolios import Snapshot
from services.ops.client.answers.risk import FactorExposure, PortfolioRisk
from services.ops.client.answers.runs import RunReport
from services.ops.client.answers.symbols import SymbolFactors
from services.ops.client.client import ApiClient
from services.ops.client.lookup import load_portfolios, load_snapshots
from services.ops.client.progress import follow_run
from services.ops.client.rendering import console, money, number, print_run, run_succeeded, stage_table, table
from services.ops.client.routes import FACTORS, OPEN_RUN, PORTFOLIO_RISK, STORE_PORTFOLIO
from services.ops.data_directory import DataDirectory
from services.ops.errors import CommandError

FIRST_SESSION: Final = date(2022, 11, 28)
LAST_SESSION: Final = date(2022, 12, 28)


@dataclass(frozen=True, slots=True)
class SamplePortfolio:
    """A portfolio of the demo; its positions are a file beside this module."""

    name: str
    file: str
    opening_equity: str


SAMPLES: Final = (
    SamplePortfolio("Long only", "long-only.csv", "1300000.00"),
    SamplePortfolio("130/30", "long-short.csv", "1300000.00"),
    SamplePortfolio("Funds and private", "funds-and-private.csv", "1500000.00"),
)


def run_demo(client: ApiClient, data_dir: DataDirectory) -> None:
    """Onboard, compute and show.

    Raises
    ------
    CommandError
        If something could not be computed.
    """
    out = console()
    ids = _onboard_all(client)
    run = _month(client)
    reports = {name: _Report.load(client, portfolio_id) for name, portfolio_id in ids.items()}
    out.print(_pnl_table(reports))
    out.print(_factor_table(reports))
    out.print(_unavailable_table(reports, client.get(FACTORS, first=LAST_SESSION, last=LAST_SESSION)["items"]))
    out.print(stage_table(run))
    out.print(_how_to_look_further(data_dir, ids), soft_wrap=True)


def _onboard_all(client: ApiClient) -> dict[str, str]:
    known = {entry["name"]: entry["portfolio_id"] for entry in load_portfolios(client)}
    return {sample.name: known.get(sample.name) or _onboard(client, sample) for sample in SAMPLES}


def _onboard(client: ApiClient, sample: SamplePortfolio) -> str:
    stored = client.send(
        STORE_PORTFOLIO,
        {
            "name": sample.name,
            "opening_equity": sample.opening_equity,
            "opened_on": FIRST_SESSION.isoformat(),
            "as_of": FIRST_SESSION.isoformat(),
            "csv": files("services.ops").joinpath("samples", sample.file).read_text(encoding="utf-8"),
        },
    )
    run = _served(follow_run(client, stored["run_id"]))
    seconds = number(run["seconds"], digits=2)
    console().print(f"onboarded {sample.name!r} with {stored['positions']} positions in {seconds} s")
    return stored["portfolio_id"]


def _month(client: ApiClient) -> RunReport:
    opened = client.send(
        OPEN_RUN,
        {
            "kind": "on_demand",
            "first_session": FIRST_SESSION.isoformat(),
            "last_session": LAST_SESSION.isoformat(),
            "requested_by": "demo",
        },
    )
    return _served(follow_run(client, opened["run"]["run_id"]))


def _served(run: RunReport) -> RunReport:
    if not run_succeeded(run):
        print_run(run)
        raise CommandError(f"the demo's {run['run']['kind']} run must complete without failures, was {run['status']}")
    return run


@dataclass(frozen=True, slots=True)
class _Report:
    snapshots: Sequence[Snapshot]
    risk: PortfolioRisk

    @classmethod
    def load(cls, client: ApiClient, portfolio_id: str) -> "_Report":
        snapshots = load_snapshots(client, portfolio_id, first=FIRST_SESSION, last=LAST_SESSION)
        return cls(snapshots, client.get(PORTFOLIO_RISK.at(portfolio_id=portfolio_id), as_of=LAST_SESSION))


def _pnl_table(reports: Mapping[str, _Report]) -> RenderableType:
    sessions = [snapshot["as_of"] for snapshot in next(iter(reports.values())).snapshots]
    by_session = [{snapshot["as_of"]: snapshot for snapshot in report.snapshots} for report in reports.values()]
    rows: list[Sequence[object]] = [
        (session, *(money(snapshots[session]["pnl"]) for snapshots in by_session)) for session in sessions
    ]
    rows.append(("P&L", *(money(_total_pnl(report)) for report in reports.values())))
    rows.append(("equity", *(money(report.snapshots[-1]["equity"]) for report in reports.values())))
    rows.append(("return", *(_month_return(report) for report in reports.values())))
    return table(f"P&L by session, {sessions[0]} to {sessions[-1]}", ("session", *reports), rows)


def _total_pnl(report: _Report) -> float:
    return sum(float(snapshot["pnl"]) for snapshot in report.snapshots)


def _month_return(report: _Report) -> str:
    first, last = report.snapshots[0], report.snapshots[-1]
    opening = float(first["equity"]) - float(first["pnl"]) - float(first["flow"])
    return f"{float(last['equity']) / opening - 1:.2%}"


def _factor_table(reports: Mapping[str, _Report]) -> RenderableType:
    betas = [{factor["factor"]: factor for factor in report.risk["factors"]} for report in reports.values()]
    rows = [(factor, *(_exposure(portfolio[factor]) for portfolio in betas)) for factor in betas[0]]
    title = f"factor betas over equity as of {LAST_SESSION} (part of the gross exposure that they cover)"
    return table(title, ("factor", *reports), rows)


def _exposure(factor: FactorExposure) -> str:
    beta, coverage = factor["beta"], factor["coverage"]
    if beta["value"] is None:
        return str(beta["reason"])
    return f"{beta['value']:.3f} ({coverage['value']:.0%})" if coverage["value"] is not None else f"{beta['value']:.3f}"


def _unavailable_table(reports: Mapping[str, _Report], symbols: list[SymbolFactors]) -> RenderableType:
    """One row per reason: whose numbers it stands for, and which."""
    found: dict[tuple[str, str, str], list[str]] = {}
    for name, report in reports.items():
        factors = ((factor["factor"], factor["beta"]) for factor in report.risk["factors"])
        measures = ((entry["measure"], entry["value"]) for entry in report.risk["measures"])
        for quantity, measure in chain(factors, measures):
            _note(found, f"portfolio {name}", quantity, measure)
    lacking: dict[tuple[str, str, str], list[str]] = {}
    for entry in symbols:
        for factor in entry["factors"]:
            _note(lacking, factor["factor"], entry["symbol"], factor["beta"])
    rows = [(who, ", ".join(dict.fromkeys(what)), reason, detail) for (who, reason, detail), what in found.items()]
    rows += [(f"{len(of)} symbols", factor, reason, detail) for (factor, reason, detail), of in lacking.items()]
    return table("not available, and why", ("of", "quantities", "reason", "detail"), rows)


def _note(found: dict[tuple[str, str, str], list[str]], who: str, what: str, measure: Measure) -> None:
    if measure["value"] is None:
        found.setdefault((who, measure["reason"] or "", measure["detail"] or ""), []).append(what)


def _how_to_look_further(data_dir: DataDirectory, ids: Mapping[str, str]) -> str:
    where = f"--data-dir {shlex.quote(str(data_dir.path))}"
    name = shlex.quote(next(iter(ids)))
    return "\n".join(
        (
            "To look further, start the platform on the same data and ask it from another terminal:",
            f"  .venv/bin/sigmasight up {where}",
            f"  .venv/bin/sigmasight status {where}",
            f"  .venv/bin/sigmasight show portfolio {name} --as-of {LAST_SESSION} {where}",
            f"  .venv/bin/sigmasight show symbol AAPL --as-of {LAST_SESSION} {where}",
            f"  .venv/bin/sigmasight export factors --out factors.parquet {where}",
        )
    )
