from pathlib import Path

import pytest

from services.ops.errors import Misused
from services.ops.hosting.host_options import resolve_factor_set
from services.ops.hosting.provider_chain import resolve_providers
from shared.factor_set import SAMPLE_FACTOR_SET, FactorSet
from shared.providers import PROVIDER_NAMES


def test_sources_without_wishes_are_the_sample() -> None:
    assert resolve_providers(None, None) == ("sample",)


def test_sources_with_directory_only_are_its_files(tmp_path: Path) -> None:
    assert resolve_providers(None, tmp_path) == ("files",)


def test_sources_keep_the_order_asked_for(tmp_path: Path) -> None:
    assert resolve_providers("files, sample", tmp_path) == ("files", "sample")


@pytest.mark.parametrize("files", [None, Path("/nowhere/at/all")])
def test_sources_with_files_without_directory_are_refused(files: Path | None) -> None:
    with pytest.raises(Misused, match="--files must be a directory"):
        resolve_providers("files,sample", files)


def test_sources_with_unknown_provider_are_refused() -> None:
    with pytest.raises(Misused, match="was 'sample,oracle'") as refused:
        resolve_providers("sample,oracle", None)

    assert all(repr(name) in str(refused.value) for name in PROVIDER_NAMES)


def test_factor_set_of_sample_prices_alone_is_the_samples() -> None:
    assert resolve_factor_set(None, ("sample",)) == SAMPLE_FACTOR_SET
    assert resolve_factor_set(None, ("files", "sample")) == FactorSet()


def test_factor_set_by_name_or_json_is_taken_as_said() -> None:
    assert resolve_factor_set("default", ("sample",)) == FactorSet()
    assert resolve_factor_set("sample", ("files",)) == SAMPLE_FACTOR_SET
    assert resolve_factor_set('{"market": "ACWI"}', ("sample",)) == FactorSet(market="ACWI")


@pytest.mark.parametrize("wanted", ["nonsense", '{"market": 7}', '{"colour": "X"}', '{"value": "A", "growth": "A"}'])
def test_factor_set_that_is_none_is_refused(wanted: str) -> None:
    with pytest.raises(Misused, match="--factor-set must be"):
        resolve_factor_set(wanted, ("sample",))
