import json

import pytest
from pydantic import SecretStr, ValidationError
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from shared.bus.connection import SecurityProtocol
from shared.bus.tokens import ClientCredentials
from shared.settings import CommonSettings, kafka_connection

GIVEN = {
    "DATABASE_URL": "postgresql://h/d",
    "BOOTSTRAP_SERVERS": "b:9092",
    "VIEWER_TOKEN": "v",
    "OPERATOR_TOKEN": "o",
    "KAFKA_SECURITY_PROTOCOL": "SASL_SSL",
    "KAFKA_SASL_MECHANISM": "SCRAM-SHA-512",
    "KAFKA_PASSWORD": "of-all",
}


@pytest.fixture
def settings(monkeypatch: pytest.MonkeyPatch) -> CommonSettings:
    for name, value in {**GIVEN, "RISK_KAFKA_PASSWORD": "of-risk"}.items():
        monkeypatch.setenv(name, value)
    return CommonSettings()


def test_service_is_the_user_of_its_own_name_with_its_own_password(settings: CommonSettings) -> None:
    risk, portfolio = (kafka_connection(settings, service).options() for service in ("risk", "portfolio"))

    assert (risk["sasl_plain_username"], risk["sasl_plain_password"]) == ("risk", "of-risk")
    assert (portfolio["sasl_plain_username"], portfolio["sasl_plain_password"]) == ("portfolio", "of-all")
    assert risk["security_protocol"] == "SASL_SSL"
    assert risk["sasl_mechanism"] == "SCRAM-SHA-512"
    assert risk["ssl_context"].check_hostname


def test_passwords_are_not_shown(settings: CommonSettings) -> None:
    shown = f"{settings!r} {kafka_connection(settings, 'risk')!r}"
    assert "of-all" not in shown
    assert "of-risk" not in shown


@pytest.mark.parametrize(
    ("said", "rule"),
    [
        ({"KAFKA_SASL_MECHANISM": None}, "kafka_sasl_mechanism must be set with kafka_security_protocol SASL_SSL"),
        ({"KAFKA_SASL_MECHANISM": "OAUTHBEARER"}, "of kafka_token_file and kafka_token_url one must be set"),
        ({"KAFKA_SASL_MECHANISM": "GSSAPI"}, "kafka_sasl_mechanism"),
        (
            {"KAFKA_SECURITY_PROTOCOL": None},
            "kafka_security_protocol must be set with kafka_sasl_mechanism",
        ),
        (
            {"KAFKA_SECURITY_PROTOCOL": None, "KAFKA_SASL_MECHANISM": None, "KAFKA_CA_FILE": __file__},
            "kafka_security_protocol must be set with kafka_ca_file",
        ),
        (
            {"KAFKA_SASL_MECHANISM": "OAUTHBEARER", "KAFKA_TOKEN_URL": "http://login.example.com/token"},
            "kafka_token_url\n.* must begin with https: the password goes there",
        ),
        ({"KAFKA_CA_FILE": "/nowhere/ca.pem"}, "kafka_ca_file\n  Path does not point to a file"),
    ],
)
def test_settings_that_make_no_sense_are_refused(
    said: dict[str, str | None], rule: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in {**GIVEN, **said}.items():
        if value is None:
            monkeypatch.delenv(name, raising=False)
        else:
            monkeypatch.setenv(name, value)
    with pytest.raises(ValidationError, match=rule) as refused:
        CommonSettings()
    assert "of-all" not in str(refused.value)


@pytest.mark.parametrize("url", ["https://login.example.com/token", "http://127.0.0.1:8080/token"])
def test_password_goes_for_a_token_to_this_machine_or_by_https(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {**GIVEN, "KAFKA_SASL_MECHANISM": "OAUTHBEARER", "KAFKA_TOKEN_URL": url}.items():
        monkeypatch.setenv(name, value)
    assert CommonSettings().kafka_token_url == url


def test_broker_of_our_own_is_spoken_to_in_plain_whatever_the_environment_says_of_another(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name, value in GIVEN.items():
        monkeypatch.setenv(name, value)
    said = CommonSettings(kafka_security_protocol=SecurityProtocol.PLAINTEXT)
    assert kafka_connection(said, "risk").options()["security_protocol"] == "PLAINTEXT"


async def test_token_is_asked_for_once_while_it_is_good_and_again_before_it_ends(httpserver: HTTPServer) -> None:
    given = iter([("first", 3600), ("second", 0), ("third", 3600)])

    def answer(request: Request) -> Response:
        assert request.authorization is not None
        assert request.authorization.parameters == {"username": "risk", "password": "secret"}
        assert request.form.to_dict() == {"grant_type": "client_credentials", "scope": "kafka"}
        token, seconds = next(given)
        return Response(json.dumps({"access_token": token, "expires_in": seconds}), content_type="application/json")

    httpserver.expect_request("/token").respond_with_handler(answer)
    tokens = ClientCredentials(httpserver.url_for("/token"), "risk", SecretStr("secret"), "kafka")

    assert [await tokens.token() for _ in range(2)] == ["first", "first"]
    tokens._ends = 0.0
    assert [await tokens.token() for _ in range(2)] == ["second", "third"]
    assert "first" not in repr(tokens)


async def test_token_that_is_not_given_is_a_connection_that_failed(httpserver: HTTPServer) -> None:
    httpserver.expect_request("/token").respond_with_data("no", status=401)
    tokens = ClientCredentials(httpserver.url_for("/token"), "risk", SecretStr("hunter2"), None)

    with pytest.raises(ConnectionError, match=r"KAFKA_TOKEN_URL http://.*/token gave risk no token: .*401") as failed:
        await tokens.token()
    assert "hunter2" not in str(failed.value)
