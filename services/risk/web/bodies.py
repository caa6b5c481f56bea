"""What people ask for and send, validated into terms of the core."""

import math
from collections import Counter
from typing import Annotated, Final

from fastapi import Path
from pydantic import BaseModel, ConfigDict, Field

from services.risk.core.sectors import NO_SECTORS, Benchmark
from shared.problems import Problem
from shared.sectors import sector_name
from shared.selection import Day

BenchmarkName = Annotated[str, Path(pattern=r"^[A-Za-z0-9._-]{1,40}$", description="SP500 is the one compared with")]
# Published weights are rounded to two decimals of a percent.
_SUM_TOLERANCE: Final = 1e-3


class BenchmarkBody(BaseModel):
    """Sector weights as fractions of the index; they add up to one."""

    model_config = ConfigDict(extra="forbid")

    as_of: Day
    weights: dict[str, float] = Field(min_length=1, max_length=100)


def benchmark_of(name: str, body: BenchmarkBody) -> Benchmark:
    """Return the benchmark of a body, or a problem that lists every error.

    Raises
    ------
    Problem
        422 for a weight that is not a fraction, a sector that is none or comes twice, or a sum that is not one.
    """
    named = [(sector, sector_name(sector, is_etf=False), weight) for sector, weight in body.weights.items()]
    times = Counter(ours for _, ours, _ in named)
    errors = []
    for sector, ours, weight in named:
        field = f"weights.{sector}"
        if not (math.isfinite(weight) and 0 <= weight <= 1):
            errors.append({"field": field, "reason": f"must be a fraction from 0 to 1, was {weight}"})
        if ours in NO_SECTORS:
            errors.append({"field": field, "reason": "is no sector of an index"})
        if times[ours] > 1:
            errors.append({"field": field, "reason": f"is another name of {ours}, which comes {times[ours]} times"})
    total = math.fsum(body.weights.values())
    if not errors and abs(total - 1) > _SUM_TOLERANCE:
        errors.append({"field": "weights", "reason": f"must add up to 1, was {total:.6f}"})
    if errors:
        raise Problem(422, f"{len(errors)} errors in the benchmark, nothing was stored", errors=errors)
    return Benchmark(name, body.as_of, {ours: weight for _, ours, weight in named})
