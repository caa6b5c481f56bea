"""Answers as vendors sometimes give them: fields gone, other types, rows twice, in another order, no rows at all."""

import copy
from typing import Any

from hypothesis import strategies as st

_STRANGE: list[Any] = [None, "n/a", "", [], {}, True, float("nan"), float("inf"), -1.0, "NaN"]


@st.composite
def mutated(draw: st.DrawFn, rows: list[dict[str, Any]]) -> list[Any]:
    """Return rows of which some are no longer what they were."""
    changed: list[Any] = copy.deepcopy(rows)
    for _ in range(draw(st.integers(1, 6))):
        place = draw(st.integers(0, len(changed) - 1))
        strange = draw(st.sampled_from(_STRANGE))
        match draw(st.sampled_from(["field", "twice", "no row", "reorder"])):
            case "field":
                changed[place] = _with_another_field(draw, changed[place], strange)
            case "twice":
                changed.insert(draw(st.integers(0, len(changed))), copy.deepcopy(changed[place]))
            case "no row":
                changed[place] = strange
            case "reorder":
                changed = draw(st.permutations(changed))
    return changed


def _with_another_field(draw: st.DrawFn, row: Any, strange: Any) -> Any:
    if not isinstance(row, dict) or not row:
        return row
    name = draw(st.sampled_from(sorted(row)))
    others = {field: value for field, value in row.items() if field != name}
    return draw(st.sampled_from([others, {**row, name: str(row[name])}, {**row, name: strange}]))
