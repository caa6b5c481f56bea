"""Commands about benchmarks: `benchmarks load`."""

from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Annotated

import typer

from services.ops.client.commands.options import ClientOptions
from services.ops.options import day, taking


@dataclass(frozen=True, kw_only=True)
class LoadOptions(ClientOptions):
    """The options of `benchmarks load`."""

    file: Annotated[Path, typer.Argument(help="A CSV file with the columns sector and weight, fractions of the index.")]
    as_of: Annotated[date, day("The day from which the weights count.")]
    name: Annotated[str, typer.Option(help="SP500 is the one that sectors are compared with.")] = "SP500"


@taking(LoadOptions)
def load_benchmark(options: LoadOptions) -> None:
    """Load the sector weights of a benchmark.

    Assessments from then on are compared with them.
    """
    from services.ops.client.benchmark_file import read_weights
    from services.ops.client.rendering import print_benchmark
    from services.ops.client.routes import LOAD_BENCHMARK

    weights = read_weights(options.file)
    with options.connected() as client:
        body = {"as_of": options.as_of.isoformat(), "weights": weights}
        loaded = client.send(LOAD_BENCHMARK.at(name=options.name), body)
    options.show(loaded, print_benchmark)
