import pytest
from pydantic import SecretStr, ValidationError

from shared.db.engine import asyncpg_url, plain_url
from shared.settings import CommonSettings, service_database_url

SECRET = "hunter2"


def _settings(url: str, **fields: object) -> CommonSettings:
    values = {"bootstrap_servers": "b:9092", "viewer_token": "v", "operator_token": "o", **fields}
    return CommonSettings.model_validate({"database_url": url, **values})


@pytest.mark.parametrize("scheme", ["postgresql", "postgres", "postgresql+asyncpg", "postgresql+psycopg2"])
def test_database_url_of_postgresql_takes_the_asyncpg_form(scheme: str) -> None:
    url = f"{scheme}://me:{SECRET}@db:5433/prod"
    assert asyncpg_url(url).render_as_string(hide_password=False) == f"postgresql+asyncpg://me:{SECRET}@db:5433/prod"
    assert plain_url(url) == f"postgresql://me:{SECRET}@db:5433/prod"


def test_plain_url_spells_tls_as_libpq_does() -> None:
    assert plain_url("postgresql+asyncpg://me@db/prod?ssl=require") == "postgresql://me@db/prod?sslmode=require"
    assert str(asyncpg_url("postgresql://me@db/prod?sslmode=require")).endswith("?ssl=require")


@pytest.mark.parametrize("url", [f"mysql://me:{SECRET}@db/prod", f"sqlite:///{SECRET}.db"])
def test_database_url_of_another_database_is_refused_without_the_secret(url: str) -> None:
    with pytest.raises(ValueError, match=r"must start with postgresql://, was (mysql|sqlite)://"):
        asyncpg_url(url)
    with pytest.raises(ValidationError) as refusal:
        _settings(url)
    assert "must start with postgresql://" in str(refusal.value)
    assert SECRET not in str(refusal.value)


def test_database_url_that_is_none_is_refused_without_the_secret() -> None:
    with pytest.raises(ValidationError) as refusal:
        _settings(f"no address {SECRET}")
    assert "must start with postgresql://" in str(refusal.value)
    assert SECRET not in str(refusal.value)


@pytest.mark.parametrize("tokens", [{"viewer_token": ""}, {"operator_token": ""}])
def test_token_that_is_empty_is_refused(tokens: dict[str, str]) -> None:
    with pytest.raises(ValidationError):
        _settings("postgresql://me@db/prod", **tokens)


def test_service_database_url_is_the_own_one_or_that_of_the_server_with_the_own_role(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    common = _settings("postgres://admin:a@db/prod", service_database_password=SecretStr("s"))
    assert service_database_url(common, "risk").get_secret_value() == "postgresql://risk:s@db/prod"

    monkeypatch.setenv("RISK_DATABASE_URL", "postgresql://own@elsewhere/risk")
    assert service_database_url(common, "risk").get_secret_value() == "postgresql://own@elsewhere/risk"
    assert service_database_url(common, "portfolio").get_secret_value() == "postgresql://portfolio:s@db/prod"


def test_password_of_a_service_is_its_own_where_it_has_one(monkeypatch: pytest.MonkeyPatch) -> None:
    common = _settings("postgres://server/prod", service_database_password=SecretStr("common"))
    monkeypatch.setenv("RISK_DATABASE_PASSWORD", "own")

    assert service_database_url(common, "risk").get_secret_value() == "postgresql://risk:own@server/prod"
    assert service_database_url(common, "portfolio").get_secret_value() == "postgresql://portfolio:common@server/prod"
