"""One self-contained page about a portfolio as of a session: charts, tables, coverage, and every reason."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from jinja2 import Environment, PackageLoader, StrictUndefined

from services.ops.client.page_sections import sections
from services.ops.client.portfolio_overview import banner
from services.ops.client.portfolio_report import PortfolioReport
from services.ops.client.rendering import money, percent


@dataclass(frozen=True, slots=True)
class Headline:
    """A number that stands at the top."""

    name: str
    text: str


_PAGES: Final = Environment(
    loader=PackageLoader("services.ops"), autoescape=True, undefined=StrictUndefined, trim_blocks=True
)


def render_page(report: PortfolioReport) -> str:
    """Return the page as HTML that needs nothing beside itself."""
    snapshot = report["snapshot"]
    return _PAGES.get_template("report.html.j2").render(
        title=f"{report['portfolio']['name']} as of {snapshot['as_of']}",
        origin=_origin(report),
        banner=list(banner(snapshot)),
        headline=[Headline("equity", money(snapshot["equity"])), *_headline(report)],
        sections=[section for section in sections(report) if section.figures or section.tables],
    )


def _origin(report: PortfolioReport) -> str:
    snapshot, risk = report["snapshot"], report["risk"]
    parts = [f"valued as revision {snapshot['revision']}, known at {snapshot['known_at']}, digest {snapshot['digest']}"]
    if risk is None:
        parts.append("not assessed")
    else:
        parts.append(
            f"assessed as revision {risk['revision']}, known at {risk['known_at']}, digest {risk['digest']}, "
            f"code version {risk['code_version']}"
        )
    return "; ".join(parts)


def _headline(report: PortfolioReport) -> Iterator[Headline]:
    performance = report["performance"]
    yield Headline("time-weighted return", percent(performance["twr"]))
    yield Headline("money-weighted return", percent(performance["mwr"]))
    yield Headline("maximum drawdown", percent(performance["drawdown"]["depth"]))
    if report["risk"] is not None:
        measures = {entry["measure"]: entry for entry in report["risk"]["measures"]}
        for name in ("volatility_63d", "var_95_1d_historical"):
            if name in measures:
                yield Headline(name, percent(measures[name]["value"]))
