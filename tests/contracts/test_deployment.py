"""The containers are written down by hand: what they say must agree with the code."""

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from typer.main import get_command

from services.ops.cli import app
from services.ops.documents.dashboards import DIRECTORY as DASHBOARDS
from services.ops.documents.openapi import DOCUMENT
from services.ops.documents.unconnected import unconnected_services
from services.ops.settings import OpenIdSettings, PeopleSettings
from shared.bus.broker import GRACEFUL_TIMEOUT_S
from shared.contracts.services import SERVICES
from shared.db.audit import AUDITED
from shared.paths import API
from shared.sessions import SessionSettings
from shared.settings import CommonSettings

ROOT = Path(__file__).parents[2]
COMPOSE = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
SESSIONS = {name.upper() for name in SessionSettings.model_fields}
OPEN_ID = {f"OIDC_{name.upper()}" for name in OpenIdSettings.model_fields}
GATEWAY = (ROOT / "deploy/gateway/nginx.conf").read_text()


def test_compose_runs_every_service_by_a_command_that_exists() -> None:
    commands = get_command(app).commands  # type: ignore[attr-defined]
    for service in SERVICES:
        assert COMPOSE["services"][service]["command"] == ["serve", service]
    assert {"serve", "migrate"} <= set(commands)


def test_compose_starts_no_service_before_its_tables_and_topics_are_there() -> None:
    for service in SERVICES:
        waits = COMPOSE["services"][service]["depends_on"]
        assert waits["migrate"]["condition"] == "service_completed_successfully"
    allowed = COMPOSE["services"]["migrate"]["depends_on"]["kafka-acls"]
    assert allowed["condition"] == "service_completed_successfully"


def test_image_takes_what_is_locked_from_the_index_of_pip_by_the_certificates_of_the_system() -> None:
    dockerfile = (ROOT / "deploy/Dockerfile").read_text().replace("\\\n", "")
    (index,) = re.findall(r"^LOCKED_FROM := (\S+)$", (ROOT / "Makefile").read_text(), re.M)
    (environment,) = re.findall(r"^ENV (UV_.*)$", dockerfile, re.M)
    first, *runs = re.findall(r"^RUN (.*(?:uv|pip) .*)$", dockerfile, re.M)

    assert f"ARG PIP_INDEX_URL={index}\n" in dockerfile
    assert {"UV_DEFAULT_INDEX=$PIP_INDEX_URL", "UV_SYSTEM_CERTS=1"} <= set(environment.split())
    assert COMPOSE["x-service"]["build"]["args"] == ["PIP_INDEX_URL"]
    assert re.search(r"type=secret,id=certificate,.* update-ca-certificates && pip install", first)
    assert any("--require-hashes" in run for run in runs)
    # It takes packages from where they were when they were locked.
    assert "uv sync" not in dockerfile


def test_compose_has_no_secret_of_its_own() -> None:
    for service in SERVICES:
        environment = COMPOSE["services"][service]["environment"]
        assert not any("TOKEN" in name for name in environment)


def test_compose_gives_each_service_its_own_password_and_none_the_administrators() -> None:
    migrate = COMPOSE["services"]["migrate"]["environment"]
    assert "postgres:${POSTGRES_PASSWORD:-change-me}@" in migrate["DATABASE_URL"]
    secrets = set(re.findall(r"^(?:# )?([A-Z_]+_PASSWORD)=", (ROOT / ".env.example").read_text(), re.M))
    secrets.remove("KAFKA_KEY_PASSWORD")
    kafka = COMPOSE["services"]["kafka"]["environment"]["KAFKA_LISTENER_NAME_CLIENT_PLAIN_SASL_JAAS_CONFIG"]
    for service in SERVICES:
        environment = COMPOSE["services"][service]["environment"]
        of_database, of_kafka = (f"{service.upper()}_{kind}_PASSWORD" for kind in ("DATABASE", "KAFKA"))
        assert environment["DATABASE_URL"] == "postgresql://postgres:5432/postgres"
        # What the file says is for others is taken from it.
        assert {name for name in secrets if environment[name] != ""} == {of_database, of_kafka}
        assert environment[of_database] == migrate[of_database] == f"${{{of_database}:-change-me}}"
        assert environment[of_kafka] == f"${{{of_kafka}:-change-me}}"
        assert f'user_{service}="{environment[of_kafka]}"' in kafka
    own = {"MIGRATE_KAFKA_PASSWORD", *(f"{service.upper()}_DATABASE_PASSWORD" for service in SERVICES)}
    assert {name for name in secrets if migrate[name] != ""} == own
    assert f'user_migrate="{migrate["MIGRATE_KAFKA_PASSWORD"]}"' in kafka


def test_gateway_sends_every_route_to_the_service_that_has_it() -> None:
    rules = [(re.compile(pattern), service) for pattern, service in re.findall(r"^\s+~(\S+) (\w+);", GATEWAY, re.M)]
    for service in unconnected_services():
        for route in service.router.routes:
            path: str = API + route.path  # type: ignore[attr-defined]
            assert next(name for pattern, name in rules if pattern.match(path)) == service.name, path
    for name in AUDITED:
        assert [to for pattern, to in rules if pattern.match(f"{API}/audit/{name}")] == [name]
    for path in ("/health/ready", "/health/live", "/docs", "/docs/assets/swagger-ui.css"):
        assert [name for pattern, name in rules if pattern.match(path)] == ["scheduler"], path
    for path in ("/", "/pages/runs", "/assets/board.css"):
        assert [name for pattern, name in rules if pattern.match(path)] == ["board"], path
    # Anybody may read them who reaches a service: nobody from outside does.
    assert not any(pattern.match("/metrics") for pattern, _ in rules)


def test_compose_runs_the_board_with_what_people_need_and_no_other_secret() -> None:
    board = COMPOSE["services"]["board"]
    get_command(app).commands["board"].make_context("board", board["command"][1:])  # type: ignore[attr-defined]
    assert (board["env_file"], set(board["environment"])) == (
        [],
        {"SIGMASIGHT_HOST", "SIGMASIGHT_PORT", "FORWARDED_ALLOW_IPS", "USERS_FILE", *SESSIONS, *OPEN_ID},
    )
    # The services have them from the file, where they are set.
    for name in (*SESSIONS, *OPEN_ID):
        assert board["environment"][name] == f"${{{name}:-}}"
    # What we are to the identity provider is nobody else's.
    for service in (*SERVICES, "migrate"):
        assert COMPOSE["services"][service]["environment"]["OIDC_CLIENT_SECRET"] == ""


def test_compose_shows_the_board_who_was_let_in_by_the_command_line() -> None:
    board, users = COMPOSE["services"]["board"], COMPOSE["services"]["users"]
    assert users["entrypoint"] == ["sigmasight", "users"]
    get_command(app).commands["users"].make_context("users", list(users["command"]))  # type: ignore[attr-defined]
    file = Path(users["environment"]["USERS_FILE"])
    assert board["environment"]["USERS_FILE"] == str(file)
    assert (users["volumes"], board["volumes"]) == ([f"people:{file.parent}"], [f"people:{file.parent}:ro"])
    # A volume begins as what the image has there.
    assert f"install -d -o sigmasight -m 700 {file.parent}" in (ROOT / "deploy/Dockerfile").read_text()


def test_nobody_signs_in_where_compose_is_given_no_key(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in SESSIONS:
        monkeypatch.setenv(name, "")
    assert PeopleSettings().sessions is None


def test_people_sign_in_at_a_provider_where_compose_is_given_one(monkeypatch: pytest.MonkeyPatch) -> None:
    given = {"ISSUER": "https://login", "CLIENT_ID": "us", "CLIENT_SECRET": "s", "REDIRECT_URL": "https://here"}
    for name in OPEN_ID:
        monkeypatch.setenv(name, "")
    assert PeopleSettings().oidc_issuer is None
    for name, value in given.items():
        monkeypatch.setenv(f"OIDC_{name}", value)
    assert PeopleSettings().oidc_issuer == "https://login"
    assert (OpenIdSettings().scope, OpenIdSettings().name_claim, OpenIdSettings().roles) == ("openid", "sub", {})


def test_gateway_says_itself_who_asks_and_the_board_believes_nobody_else() -> None:
    said = dict(re.findall(r"proxy_set_header (\S+) (\S+);", GATEWAY))
    # Set and not appended to: what callers say of themselves counts for nothing.
    # With its port: the form of another one on this machine is not ours.
    assert said["Host"] == "$http_host"
    assert (said["X-Forwarded-For"], said["X-Forwarded-Proto"]) == ("$remote_addr", "$scheme")
    assert COMPOSE["services"]["board"]["environment"]["FORWARDED_ALLOW_IPS"] == "*"
    # That is the gateway, as long as nobody reaches the board from outside.
    assert "ports" not in COMPOSE["services"]["board"]


def test_gateway_shows_the_document_of_all_services() -> None:
    (root,) = re.findall(r"location = /openapi.json \{\s+root (\S+);", GATEWAY)
    mounted = dict(volume.split(":")[:2] for volume in COMPOSE["services"]["gateway"]["volumes"])
    assert {inside: ROOT / outside for outside, inside in mounted.items()}[f"{root}/openapi.json"] == DOCUMENT


def test_prometheus_collects_from_every_service_and_grafana_shows_the_dashboards() -> None:
    (job,) = yaml.safe_load((ROOT / "deploy/prometheus/prometheus.yml").read_text())["scrape_configs"]
    port = COMPOSE["x-service"]["environment"]["SIGMASIGHT_PORT"]
    assert {target for entry in job["static_configs"] for target in entry["targets"]} == {
        f"{service}:{port}" for service in SERVICES
    }
    grafana = ROOT / "deploy/grafana"
    (provider,) = yaml.safe_load((grafana / "provisioning/dashboards/sigmasight.yml").read_text())["providers"]
    (source,) = yaml.safe_load((grafana / "provisioning/datasources/prometheus.yml").read_text())["datasources"]
    mounted = dict(volume.split(":")[1::-1] for volume in COMPOSE["services"]["grafana"]["volumes"])
    assert ROOT / mounted[provider["options"]["path"]] == DASHBOARDS
    assert ROOT / mounted["/etc/grafana/provisioning"] == grafana / "provisioning"
    assert source["url"] == "http://prometheus:9090"


@pytest.mark.parametrize("file", sorted((ROOT / "deploy/railway").glob("*.json")), ids=lambda file: file.stem)
def test_railway_runs_commands_that_exist(file: Path) -> None:
    deployment = json.loads(file.read_text())
    said = deployment["deploy"]
    for command in (said["startCommand"], *said.get("preDeployCommand", [])):
        _check_command(command.split())
    assert (ROOT / deployment["build"]["dockerfilePath"]).exists()
    if "cronSchedule" not in said:
        assert said["healthcheckPath"] == "/health/ready"
        assert said["drainingSeconds"] > GRACEFUL_TIMEOUT_S


UNITS = sorted((ROOT / "deploy/systemd").glob("*.service"))


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.stem)
def test_unit_runs_a_command_that_exists_with_no_more_rights_than_it_needs(unit: Path) -> None:
    text = unit.read_text()
    (command,) = re.findall(r"^ExecStart=(.*)$", text, re.M)
    program, *arguments = command.split()
    _check_command([Path(program).name, *arguments])
    assert {
        *("DynamicUser=yes", "NoNewPrivileges=yes", "ProtectSystem=strict", "CapabilityBoundingSet="),
        *("SystemCallFilter=@system-service", "RestrictAddressFamilies=AF_INET AF_INET6 AF_UNIX"),
    } <= set(text.splitlines())
    knows_administrator = "EnvironmentFile=/etc/sigmasight/migrate.env" in text
    assert knows_administrator == (arguments == ["migrate"])


def test_units_are_what_systemd_understands(tmp_path: Path) -> None:
    if shutil.which("systemd-analyze") is None:
        pytest.skip("there is no systemd here that could read the units")
    for unit in UNITS:
        (tmp_path / unit.name).write_text(unit.read_text().replace("/opt/sigmasight/bin/sigmasight", sys.executable))
    command = ("systemd-analyze", "verify", *(str(tmp_path / unit.name) for unit in UNITS))
    said = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (said.returncode, said.stderr) == (0, "")


def _check_command(command: list[str]) -> None:
    program, name, *arguments = command
    assert program == "sigmasight"
    get_command(app).commands[name].make_context(name, arguments)  # type: ignore[attr-defined]


def test_compose_runs_tools_only_when_they_are_asked_for() -> None:
    profiles = {name: said.get("profiles", ["core"]) for name, said in COMPOSE["services"].items()}
    assert {name for name, of in profiles.items() if of == ["observability"]} == {"prometheus", "grafana"}
    assert {name for name, of in profiles.items() if of == ["tools"]} == {"cli", "psql", "users"}
    core = {name for name, of in profiles.items() if of == ["core"]}
    assert core == {*SERVICES, "board", "gateway", "migrate", "postgres", "kafka", "kafka-acls"}
    _check_command(["sigmasight", *COMPOSE["services"]["cli"]["command"]])


def test_environment_example_names_every_setting_without_a_default() -> None:
    example = (ROOT / ".env.example").read_text()
    for name, field in CommonSettings.model_fields.items():
        assert not field.is_required() or re.search(rf"^{name.upper()}=", example, re.M), name


def test_environment_example_is_read_by_a_shell() -> None:
    command = ("sh", "-ec", '. ./.env.example; printf %s "$FACTOR_SET"')
    read = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    assert json.loads(read.stdout)["value"] == "VLUE"
