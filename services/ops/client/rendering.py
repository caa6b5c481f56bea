"""How answers look on a terminal."""

import re
from collections.abc import Iterable, Sequence
from typing import Final

from rich.bar import Bar
from rich.console import Console, ConsoleOptions, Group, RenderableType
from rich.segment import Segment
from rich.table import Table
from rich.text import Text

from services.ops.client.answers.numbers import Measure
from services.ops.client.answers.portfolios import Portfolio
from services.ops.client.answers.risk import Benchmark, Figure, Scenario
from services.ops.client.answers.runs import RunProgress, RunReport, RunSummary
from services.ops.client.answers.vendors import RunRequests
from shared.printable import printable

_NAMES_SHOWN: Final = 5
_ID: Final = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


class _Plain(Console):
    """A terminal that only what is drawn steers: a text, whoever wrote it, is a text."""

    def __init__(self, *, stderr: bool = False, width: int | None = None) -> None:
        super().__init__(stderr=stderr, width=width, markup=False, emoji=False, highlight=False)

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[Segment]:
        """Render something for this terminal."""
        for segment in super().render(renderable, options):
            yield segment if segment.control else Segment(printable(segment.text), segment.style)


def console(*, stderr: bool = False) -> Console:
    """Return the console of standard output, or of standard error; piped, it is as wide as the widest table needs."""
    found = _Plain(stderr=stderr)
    return found if found.is_terminal else _Plain(stderr=stderr, width=160)


def table(title: str, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> RenderableType:
    """Return a table under its title; whatever looks like a number is aligned to the right."""
    cells = [[_cell(value) for value in row] for row in rows]
    drawn = Table(header_style="bold")
    for position, column in enumerate(columns):
        numeric = any(_is_number(str(row[position])) for row in cells)
        # An id that goes on in the next line cannot be copied, and a number reads as another one.
        if any(_ID.fullmatch(str(row[position])) for row in cells):
            drawn.add_column(column, no_wrap=True, overflow="fold")
        elif numeric:
            drawn.add_column(column, justify="right", no_wrap=True, overflow="ellipsis")
        else:
            drawn.add_column(column, overflow="fold")
    for row in cells:
        drawn.add_row(*row)
    # A title of the table itself would be folded to the width of the columns.
    return Group(Text(title, style="bold"), drawn)


def number(value: float | str | None, *, digits: int = 4) -> str:
    """Return a number for people, with thousands separated."""
    return "" if value is None else f"{float(value):,.{digits}f}"


def money(value: float | str | None) -> str:
    """Return an amount for people."""
    return number(value, digits=2)


def percent(measure: Measure, *, digits: int = 1) -> str:
    """Return a measure as a percentage, or the reason why there is none."""
    return str(measure["reason"]) if measure["value"] is None else f"{measure['value']:.{digits}%}"


def scenario_flags(scenario: Scenario) -> str:
    """Return what to keep in mind about a scenario's result: moves beyond the history, losses beyond the book."""
    beyond = [entry["factor"] for entry in scenario["moves"] if entry["extrapolated"]]
    flags = [f"extrapolated: {', '.join(beyond)}"] if beyond else []
    return "; ".join([*flags, *(["loss above gross exposure"] if scenario["beyond_gross"] else [])])


def stage_table(run: RunProgress) -> RenderableType:
    """Return what each stage of a run did and how long it took."""
    rows = [
        (
            stage["stage"],
            f"{stage['parts_done']}/{stage['parts_total'] if stage['parts_total'] is not None else '?'}",
            stage["subjects"],
            stage["failures"],
            number(stage["seconds"], digits=2),
        )
        for stage in run["stages"]
    ]
    took = f" in {run['seconds']:.2f} s" if run["seconds"] is not None else ""
    sessions = run["run"]["first_session"]
    if run["run"]["last_session"] != sessions:
        sessions = f"{sessions} to {run['run']['last_session']}"
    title = f"{run['run']['kind']} run of {sessions}: {run['status']}{took}"
    return table(title, ("stage", "parts", "subjects", "failures", "seconds"), rows)


def cause_table(run: RunReport) -> RenderableType | None:
    """Return what a run could not serve, a line a cause, and what did not come; None when there is nothing."""
    rows: list[tuple[object, ...]] = [
        (
            cause["stage"],
            cause["reason"],
            cause["detail"],
            cause["subjects"],
            _some(cause["first_subjects"], cause["subjects"]),
            " ".join(cause["then"]),
            _some([each["name"] or each["portfolio_id"] for each in cause["first_portfolios"]], cause["portfolios"]),
        )
        for cause in run["causes"]
    ]
    rows += [(missing, "MISSING", "did not arrive", "", "", "", "") for missing in run["missing"]]
    columns = ("stage", "reason", "detail", "how many", "subjects", "then missing in", "portfolios")
    return table("not served", columns, rows) if rows else None


def _some(names: Sequence[str], of: int) -> str:
    shown = names[:_NAMES_SHOWN]
    rest = of - len(shown)
    return ", ".join([*shown, f"{rest} more"] if rest else shown)


def run_table(runs: Sequence[RunSummary], *, id_length: int | None = None) -> RenderableType:
    """Return a line a run."""
    columns = ("requested at", "kind", "sessions", "status", "by", "run")
    rows = [
        (
            listed["requested_at"][:19],
            listed["run"]["kind"],
            f"{listed['run']['first_session']} to {listed['run']['last_session']}",
            listed["status"],
            listed["run"]["requested_by"],
            listed["run"]["run_id"][:id_length],
        )
        for listed in runs
    ]
    return table("runs", columns, rows)


def run_succeeded(run: RunProgress) -> bool:
    """Tell whether a run completed and served everything."""
    return run["status"] == "completed" and not run["failures"] and not run["missing"]


def print_run(run: RunReport) -> None:
    """Show how a run is, or ended."""
    out = console()
    out.print(stage_table(run))
    causes = cause_table(run)
    if causes is not None:
        out.print(causes)
    found = findings_line(run)
    if found is not None:
        out.print(found, soft_wrap=True)
    if run["requests"]["vendors"]:
        out.print(f"requests: {requests_line(run['requests'])}", soft_wrap=True)


def requests_line(requests: RunRequests) -> str:
    """Return in one line what is asked of vendors, beside what was to be."""
    return ", ".join(
        f"{each['requests']:,} to {each['vendor']}"
        + ("" if each["estimated"] is None else f" (at most {each['estimated']:,} expected)")
        for each in requests["vendors"]
    )


def findings_line(run: RunReport) -> str | None:
    """Return in one line what a run has found wrong with delivered data, None where it was nothing."""
    counts = run["findings"]
    if not counts["findings"]:
        return None
    rules = ", ".join(f"{each['findings']} {each['rule']}" for each in counts["rules"])
    return f"{counts['findings']} rows set aside: {rules}; see `sigmasight findings --run {run['run']['run_id']}`"


def print_portfolios(found: Sequence[Portfolio]) -> None:
    """Show which portfolios there are."""
    rows = [
        (
            entry["name"],
            entry["portfolio_id"],
            entry["opened_on"],
            money(entry["opening_equity"]),
            entry["closed_on"] or "",
        )
        for entry in found
    ]
    console().print(table("portfolios", ("name", "id", "first session", "opening equity", "closed"), rows))


def print_benchmark(found: Benchmark) -> None:
    """Show the sector weights of a benchmark."""
    rows = [(sector, f"{weight:.1%}") for sector, weight in sorted(found["weights"].items())]
    console().print(table(f"{found['benchmark']} as of {found['as_of']}", ("sector", "weight"), rows))


def _cell(value: object) -> RenderableType:
    # Made printable before it is measured, so that its column has room for it.
    return value if isinstance(value, Bar) else Text(printable("" if value is None else str(value)))


def _is_number(cell: str) -> bool:
    return cell.replace(",", "").replace(".", "", 1).removeprefix("-").isdigit()


def measure_row(name: str, measure: Measure, *, digits: int = 4) -> tuple[str, str, str, str]:
    """Return a measure as name, value, reason and detail: a value, or why there is none."""
    return (
        name,
        number(measure["value"], digits=digits),
        measure["reason"] or "",
        detail(measure, digits=digits),
    )


def detail(measure: Measure | Figure, *, digits: int = 4) -> str:
    """Return why there is no number, and what the covered part of a book says where that is all there is."""
    told = measure["detail"] or ""
    part = measure.get("of_covered")
    return told if part is None else f"{told}; of the covered part {part:,.{digits}f}"
