"""What the description of positions files shows is what the reader reads."""

import re
from datetime import date
from pathlib import Path

from services.portfolio.core.csv_import import parse_positions_csv
from services.portfolio.core.csv_rows import COLUMNS
from services.portfolio.core.positions import PositionType

DESCRIPTION = (Path(__file__).parents[3] / "docs" / "positions-file.md").read_text()


def test_example_of_positions_file_is_read_without_errors() -> None:
    (example,) = re.findall(r"```csv\n(.*?)```", DESCRIPTION, re.S)

    parsed = parse_positions_csv(example.encode(), today=date(2025, 3, 14))

    assert parsed.errors == ()
    assert [len(parsed.positions), len(parsed.positions[1].exits)] == [3, 1]
    assert [entry.kind for entry in parsed.positions] == [
        PositionType.LONG,
        PositionType.SHORT,
        PositionType.LC,
    ]


def test_description_of_positions_file_names_the_columns_in_order() -> None:
    assert tuple(re.findall(r"^\| `([^`]+)` \|", DESCRIPTION, re.M)) == COLUMNS
