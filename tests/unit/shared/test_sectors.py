import pytest

from shared.sectors import ETFS, UNCLASSIFIED, sector_name


@pytest.mark.parametrize(
    ("sector", "is_etf", "name"),
    [
        ("Basic Materials", False, "Materials"),
        ("Consumer Defensive", None, "Consumer Staples"),
        ("Energy", False, "Energy"),
        (" Energy ", False, "Energy"),
        ("Unknown", False, UNCLASSIFIED),
        ("", False, UNCLASSIFIED),
        (None, None, UNCLASSIFIED),
        ("Technology", True, ETFS),
    ],
)
def test_sector_name_is_that_of_the_benchmark(sector: str | None, is_etf: bool | None, name: str) -> None:
    assert sector_name(sector, is_etf=is_etf) == name
