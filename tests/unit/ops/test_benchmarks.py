"""Benchmark files: read whole or not at all, every wrong row named."""

import re
from datetime import date
from pathlib import Path

import pytest

from services.market_data.web.bodies import UniverseBody
from services.ops.client.benchmark_file import read_weights
from services.ops.errors import Misused, WrongRows
from services.risk.web.bodies import BenchmarkBody, benchmark_of
from shared.symbols import one_spelling
from tests.support.command_line import invoke

DESCRIPTION = (Path(__file__).parents[3] / "docs" / "benchmark-file.md").read_text()


def written(directory: Path, text: str) -> Path:
    file = directory / "weights.csv"
    file.write_text(text, encoding="utf-8")
    return file


def test_example_of_the_description_is_read_and_accepted_by_risk(tmp_path: Path) -> None:
    example, _ = re.findall(r"```csv\n(.*?)```", DESCRIPTION, re.S)

    weights = read_weights(written(tmp_path, example))

    assert benchmark_of("SP500", BenchmarkBody(as_of=date(2022, 12, 1), weights=weights)).weights == weights
    assert weights["Technology"] == 0.284


def test_file_with_byte_order_mark_and_empty_lines_is_read(tmp_path: Path) -> None:
    text = "\ufeffSector, Weight\n\n Energy ,0.25\nUtilities,0.75\n"

    assert read_weights(written(tmp_path, text)) == {"Energy": 0.25, "Utilities": 0.75}


def test_every_wrong_row_is_named_with_its_line(tmp_path: Path) -> None:
    text = "sector,weight\nEnergy,many\nUtilities,nan\n,0.5\nMaterials,0.5,1\nTechnology,0.5\nTechnology,0.5\n"

    with pytest.raises(WrongRows) as caught:
        read_weights(written(tmp_path, text))

    assert [str(error) for error in caught.value.errors] == [
        "line 2, weight: must be a number, was 'many'",
        "line 3, weight: must be a number, was 'nan'",
        "line 4, sector: must be named once, was empty",
        "line 5, row: must have 2 cells, had 3",
        "line 7, sector: must be named once, was 'Technology' again",
    ]


@pytest.mark.parametrize("text", ["", "name,weight\nEnergy,1\n", 'sector,weight\n"Energy,1\n'])
def test_file_that_is_none_is_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(Misused, match=r"weights\.csv"):
        read_weights(written(tmp_path, text))


def test_command_ends_with_every_wrong_row_and_sends_nothing(tmp_path: Path) -> None:
    file = written(tmp_path, "sector,weight\nEnergy,many\n")

    done = invoke("benchmarks", "load", str(file), "--as-of", "2022-12-01", "--url", "http://127.0.0.1:9")

    assert done.exit_code == 2
    assert "line 2, weight: must be a number, was 'many'" in done.stderr


def test_constituents_of_the_description_are_read_in_one_spelling_and_accepted(tmp_path: Path) -> None:
    _, example = re.findall(r"```csv\n(.*?)```", DESCRIPTION, re.S)

    weights = read_weights(written(tmp_path, example.replace("BRK.B", "brk-b")), "symbol", one_spelling)

    named = [{"symbol": symbol, "weight": weight} for symbol, weight in weights.items()]
    body = UniverseBody.model_validate({"as_of": "2022-12-01", "constituents": named})
    assert body.weights == weights == {"AAPL": 0.6, "BRK.B": 0.3, "KO": 0.1}


def test_universe_with_wrong_rows_is_not_sent(tmp_path: Path) -> None:
    file = written(tmp_path, "symbol,weight\nAAPL,0.5\nBRK.B,0.5\nBRK/B,0.5\nKO,some\n")

    done = invoke("universe", "load", str(file), "--as-of", "2022-12-01", "--url", "http://127.0.0.1:9")

    assert done.exit_code == 2
    assert "line 4, symbol: must be named once, was 'BRK.B' again" in done.stderr
    assert "line 5, weight: must be a number, was 'some'" in done.stderr
