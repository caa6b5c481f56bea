"""One self-contained report about a portfolio as of a session: a first page for its owner, and an appendix."""

from collections.abc import Iterator
from typing import Final, Literal

from jinja2 import Environment, PackageLoader, StrictUndefined

from services.ops.client.figures import lines_figure
from services.ops.client.front import front
from services.ops.client.page_sections import sections
from services.ops.client.portfolio_overview import PortfolioOverview

Paper = Literal["A4", "letter"]

_PAGES: Final = Environment(
    loader=PackageLoader("services.ops"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)


def render_page(found: PortfolioOverview, *, paper: Paper | None = None) -> str:
    """Return the report as HTML that needs nothing beside itself; without a paper, whoever prints it chooses."""
    points = found["performance"]["points"]
    values = {f"Value in {found['portfolio']['currency']}": [float(point["equity"]) for point in points]}
    return _PAGES.get_template("report.html.j2").render(
        front=front(found),
        picture=lines_figure(values, [point["as_of"] for point in points], units=("money",)),
        origin=list(_origin(found)),
        paper=paper,
        sections=[section for section in sections(found) if section.figures or section.tables],
    )


def _origin(found: PortfolioOverview) -> Iterator[str]:
    snapshot, risk = found["snapshot"], found["risk"]
    yield f"Valued as revision {snapshot['revision']}, known at {snapshot['known_at']}, digest {snapshot['digest']}."
    if risk is None:
        yield "Not assessed."
    else:
        yield (
            f"Assessed as revision {risk['revision']}, known at {risk['known_at']}, digest {risk['digest']}, "
            f"code version {risk['code_version']}."
        )
