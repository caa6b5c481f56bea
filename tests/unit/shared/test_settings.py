from datetime import timedelta

import pytest
from pydantic import SecretStr, ValidationError

from shared.factor_set import SAMPLE_FACTOR_SET, FactorSet
from shared.settings import CommonSettings


def _settings(**given: FactorSet) -> CommonSettings:
    return CommonSettings(
        database_url=SecretStr("postgresql://me@db/prod"),
        bootstrap_servers="b:9092",
        viewer_token=SecretStr("v"),
        operator_token=SecretStr("o"),
        **given,  # type: ignore[arg-type]
    )


@pytest.mark.parametrize(
    ("said", "meant"),
    [("default", FactorSet()), ("sample", SAMPLE_FACTOR_SET), ('{"market": "ACWI"}', FactorSet(market="ACWI"))],
)
def test_factor_set_of_the_environment_is_a_name_or_json(
    monkeypatch: pytest.MonkeyPatch, said: str, meant: FactorSet
) -> None:
    monkeypatch.setenv("FACTOR_SET", said)

    assert _settings().factor_set == meant


def test_settle_delay_is_one_setting_in_minutes(monkeypatch: pytest.MonkeyPatch) -> None:
    assert _settings().settle_delay == timedelta(minutes=30)
    monkeypatch.setenv("SETTLE_DELAY_MINUTES", "5")
    assert _settings().settle_delay == timedelta(minutes=5)
    monkeypatch.setenv("SETTLE_DELAY_MINUTES", "-5")
    with pytest.raises(ValidationError, match="settle_delay_minutes"):
        _settings()


def test_factor_set_that_is_given_comes_before_that_of_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FACTOR_SET", '{"market": "ACWI"}')

    assert _settings(factor_set=SAMPLE_FACTOR_SET).factor_set == SAMPLE_FACTOR_SET


@pytest.mark.parametrize("said", ["nonsense", '{"market": 7}', '{"colour": "X"}'])
def test_factor_set_of_the_environment_that_is_none_is_refused(monkeypatch: pytest.MonkeyPatch, said: str) -> None:
    monkeypatch.setenv("FACTOR_SET", said)

    with pytest.raises(ValidationError, match="factor_set"):
        _settings()
