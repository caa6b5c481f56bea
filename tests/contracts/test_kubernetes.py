"""Kubernetes' manifests are written by hand: valid by its schemas, and in agreement with the code."""

import json
import re
from collections.abc import Iterator
from functools import cache
from ipaddress import ip_address, ip_network
from typing import Any
from urllib.parse import parse_qs, urlsplit

import kubernetes_validate
import pytest
from typer.main import get_command

from services.ops.cli import app
from services.ops.settings import TopicSettings
from shared.bus.broker import GRACEFUL_TIMEOUT_S
from shared.contracts.services import SERVICES
from shared.metrics.catalogue import PARTS_OPEN
from shared.service import ANSWERS_WITHIN_S
from shared.settings import CommonSettings, KafkaPasswords, ServicePasswords
from tests.contracts.test_settings import CLASSES, settings_read_by
from tests.support.compose import ROOT
from tests.support.kubernetes import DIRECTORY, Manifest, containers, pod_of, rendered

OVERLAYS = sorted(path.name for path in (DIRECTORY / "overlays").iterdir())
# KEDA's own kinds have no schema among those of Kubernetes.
SCALED = "ScaledObject"
NAMES = {service: service.replace("_", "-") for service in SERVICES}
# PostgreSQL's driver reads the last one.
OTHERS = {"LOG_LEVEL", "JSON_LOGS", "SIGMASIGHT_HOST", "SIGMASIGHT_PORT", "PGSSLROOTCERT"}


@cache
def manifests(overlay: str) -> tuple[Manifest, ...]:
    return tuple(rendered(DIRECTORY / "overlays" / overlay))


def one(kind: str, name: str, overlay: str = "production") -> Manifest:
    (found,) = (each for each in manifests(overlay) if (each["kind"], each["metadata"]["name"]) == (kind, name))
    return found


def running(overlay: str) -> Iterator[tuple[Manifest, Manifest]]:
    """Return what runs a container, with that container."""
    for manifest in manifests(overlay):
        for container in containers(manifest):
            yield manifest, container


@cache
def _validate(manifest: str) -> None:
    kubernetes_validate.validate(json.loads(manifest), "1.34", strict=True)


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_manifests_are_valid_by_the_schemas_of_kubernetes(overlay: str) -> None:
    for manifest in manifests(overlay):
        if manifest["kind"] != SCALED:
            # Most are the same in every overlay.
            _validate(json.dumps(manifest))


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_everything_runs_with_no_more_rights_than_it_needs(overlay: str) -> None:
    for manifest, container in running(overlay):
        pod, name = pod_of(manifest), manifest["metadata"]["name"]
        assert pod["securityContext"]["runAsNonRoot"], name
        assert pod["securityContext"]["runAsUser"] > 0, name
        assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}, name
        assert not pod["automountServiceAccountToken"], name
        assert not pod["enableServiceLinks"], name
        assert container["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }, name
        assert {"cpu", "memory"} <= container["resources"]["requests"].keys(), name
        assert "memory" in container["resources"]["limits"], name
    assert any(
        each["spec"]["podSelector"] == {} and "ingress" not in each["spec"] and "egress" not in each["spec"]
        for each in manifests(overlay)
        if each["kind"] == "NetworkPolicy"
    )


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_every_container_of_ours_runs_a_command_that_exists(overlay: str) -> None:
    # Made anew: a context without that of the program leaves traces in a command.
    commands = get_command(app).commands  # type: ignore[attr-defined]
    ours = {
        manifest["metadata"]["name"]: container["args"]
        for manifest, container in running(overlay)
        if "sigmasight" in container["image"]
    }
    for name, arguments in ours.items():
        commands[arguments[0]].make_context(arguments[0], list(arguments[1:]))
        assert name in {*NAMES.values(), "migrate", "migrate-post", "board"}
    assert {name: ours[name] for name in NAMES.values()} == {
        name: ["serve", service] for service, name in NAMES.items()
    }


def test_user_is_that_of_the_image() -> None:
    (uid,) = re.findall(r"useradd .*--uid (\d+)", (ROOT / "deploy/Dockerfile").read_text())
    for manifest, container in running("production"):
        if "sigmasight" in container["image"]:
            assert pod_of(manifest)["securityContext"]["runAsUser"] == int(uid)


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_every_setting_exists_and_none_that_is_needed_is_missing(overlay: str) -> None:
    known = {name for settings in CLASSES for name in settings_read_by(settings)} | OTHERS
    common = set(one("ConfigMap", "sigmasight", overlay)["data"])
    assert common <= known
    needed = {name.upper() for name, field in CommonSettings.model_fields.items() if field.is_required()}
    assert needed - common == {"VIEWER_TOKEN", "OPERATOR_TOKEN"}
    # A setting that makes no sense ends the start.
    tokens = {"viewer_token": "v", "operator_token": "o"}
    said = {name.lower(): value for name, value in one("ConfigMap", "sigmasight", overlay)["data"].items()}
    CommonSettings.model_validate({**said, **tokens})
    TopicSettings.model_validate({name.removeprefix("topic_"): value for name, value in said.items()})


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_each_service_is_given_its_own_passwords_by_reference_and_no_other(overlay: str) -> None:
    passwords = {name for settings in (ServicePasswords, KafkaPasswords) for name in settings_read_by(settings)}
    for service, name in NAMES.items():
        (container,) = containers(one("Deployment", name, overlay))
        own = {f"{service.upper()}_DATABASE_PASSWORD", f"{service.upper()}_KAFKA_PASSWORD"}
        assert {each["name"] for each in container["env"]} == own <= passwords
        assert all(each["valueFrom"]["secretKeyRef"]["name"] == f"sigmasight-{name}" for each in container["env"])
        assert "sigmasight-migrate" not in str(container)
    assert not any(each["kind"] == "Secret" for each in manifests(overlay))


def test_secrets_are_described() -> None:
    page = (ROOT / "docs/deployment.md").read_text()
    named = {
        name
        for manifest, _ in running("production")
        for name in re.findall(r"'(?:secret(?:Ref|KeyRef)': \{'name|secretName)': '([\w-]+)'", str(manifest))
    }
    assert {name for name in named if f"`{name}`" in page} == named


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_services_are_asked_for_their_health_where_they_listen(overlay: str) -> None:
    port = int(one("ConfigMap", "sigmasight", overlay)["data"]["SIGMASIGHT_PORT"])
    for name in NAMES.values():
        deployment = one("Deployment", name, overlay)
        (container,) = containers(deployment)
        (listens,) = container["ports"]
        assert listens == {"name": "http", "containerPort": port}
        for probe, path in (("startupProbe", "live"), ("livenessProbe", "live"), ("readinessProbe", "ready")):
            assert container[probe]["httpGet"] == {"path": f"/health/{path}", "port": "http"}
        # The answer may take as long as the database and the broker are given.
        assert container["readinessProbe"]["timeoutSeconds"] > ANSWERS_WITHIN_S
        assert deployment["spec"]["template"]["spec"]["terminationGracePeriodSeconds"] > GRACEFUL_TIMEOUT_S
        (reached,) = one("Service", name, overlay)["spec"]["ports"]
        assert (reached["port"], reached["targetPort"]) == (port, "http")
        assert one("PodDisruptionBudget", name, overlay)["spec"]["selector"] == {"matchLabels": {"app": name}}


def test_gateway_finds_every_service_by_its_name_in_the_cluster() -> None:
    place = one("ConfigMap", "gateway")["data"]["kubernetes.conf"]
    domain = f"{one('Deployment', 'gateway')['metadata']['namespace']}.svc.cluster.local"
    (default,) = re.findall(r"default (\S+);", place)
    other = dict(re.findall(r"^\s+(\w+_\w+) (\S+);", place, re.M))
    for service, name in {**NAMES, "board": "board"}.items():
        assert other.get(service, default.replace("$service", service)) == f"{name}.{domain}"
        assert one("Service", name)
    (mounted,) = containers(one("Deployment", "gateway"))
    files = {each["subPath"]: each["mountPath"] for each in mounted["volumeMounts"] if "subPath" in each}
    assert files.keys() == one("ConfigMap", "gateway")["data"].keys()
    assert "include /etc/nginx/place/*.conf;" in one("ConfigMap", "gateway")["data"]["nginx.conf"]
    assert files["kubernetes.conf"] == "/etc/nginx/place/place.conf"


def test_network_lets_services_meet_on_the_broker_only() -> None:
    reached: dict[str, Any] = {
        each["metadata"]["name"]: each["spec"] for each in manifests("production") if each["kind"] == "NetworkPolicy"
    }
    apps = set(reached["servers"]["podSelector"]["matchExpressions"][0]["values"])
    assert apps == {*NAMES.values(), "migrate"}
    settings = one("ConfigMap", "sigmasight")["data"]
    ports = {urlsplit(settings["DATABASE_URL"]).port, int(settings["BOOTSTRAP_SERVERS"].rpartition(":")[2])}
    assert {each["port"] for rule in reached["servers"]["egress"] for each in rule["ports"]} == ports
    (asked,) = reached["asked-by-gateway"]["ingress"]
    assert asked["from"][0] == {"podSelector": {"matchLabels": {"app": "gateway"}}}
    assert set(reached["asked-by-gateway"]["podSelector"]["matchExpressions"][0]["values"]) == {
        *NAMES.values(),
        "board",
    }


def test_replicas_follow_the_parts_of_a_stage_that_the_service_has_to_do_and_its_partitions() -> None:
    partitions = int(one("ConfigMap", "sigmasight")["data"]["TOPIC_PARTITIONS"])
    stages = {
        "market-data": "prices.updated",
        "symbol-analytics": "symbols.factored",
        "portfolio": "portfolios.valued",
        "risk": "portfolios.assessed",
    }
    scaled = {each["metadata"]["name"]: each["spec"] for each in manifests("production") if each["kind"] == SCALED}
    assert scaled.keys() == stages.keys()
    for name, spec in scaled.items():
        assert spec["scaleTargetRef"] == {"name": name}
        assert spec["maxReplicaCount"] == partitions
        (trigger,) = spec["triggers"]
        query = trigger["metadata"]["query"]
        assert query == f'sum(max by (stage) ({PARTS_OPEN.name}{{stage="{stages[name]}"}}))'
        # KEDA decides.
        assert "replicas" not in one("Deployment", name)["spec"]


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_board_believes_the_gateway_who_asks(overlay: str) -> None:
    (board,) = containers(one("Deployment", "board", overlay))
    # Nobody but the gateway reaches it from outside (network.yaml).
    assert {"name": "FORWARDED_ALLOW_IPS", "value": "*"} in board["env"]


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_board_reads_who_may_sign_in_and_signs_sessions_that_services_read(overlay: str) -> None:
    (board,) = containers(one("Deployment", "board", overlay))
    said = {each["name"]: each for each in board["env"]}
    key = {"name": "sigmasight-tokens", "key": "SESSION_KEY", "optional": True}
    assert said["SESSION_KEY"]["valueFrom"] == {"secretKeyRef": key}
    assert "sigmasight-tokens" in str(containers(one("Deployment", "risk", overlay)))
    pod = one("Deployment", "board", overlay)["spec"]["template"]["spec"]
    (mounted,) = (each for each in board["volumeMounts"] if each["name"] == "users")
    assert said["USERS_FILE"]["value"] == f"{mounted['mountPath']}/users.json"
    (volume,) = (each for each in pod["volumes"] if each["name"] == "users")
    assert volume["secret"] == {"secretName": "sigmasight-users", "optional": True, "defaultMode": 0o440}
    # And who signs in at an identity provider, which is asked over the network.
    assert board["envFrom"] == [{"secretRef": {"name": "sigmasight-openid", "optional": True}}]
    (asked,) = one("NetworkPolicy", "outside", overlay)["spec"]["podSelector"]["matchExpressions"]
    assert "board" in asked["values"]
    # Such a file is root's: our group reads it.
    assert pod["securityContext"]["fsGroup"] == pod["securityContext"]["runAsGroup"]


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_postgresql_is_reached_by_tls_that_is_checked(overlay: str) -> None:
    settings = one("ConfigMap", "sigmasight", overlay)["data"]
    assert parse_qs(urlsplit(settings["DATABASE_URL"]).query) == {"sslmode": ["verify-full"]}
    for manifest, container in running(overlay):
        if {"configMapRef": {"name": "sigmasight"}} not in container.get("envFrom", []):
            continue
        name = manifest["metadata"]["name"]
        (mounted,) = (each for each in container["volumeMounts"] if each["name"] == "database-ca")
        assert settings["PGSSLROOTCERT"] == f"{mounted['mountPath']}/ca.pem", name
        (volume,) = (each for each in pod_of(manifest)["volumes"] if each["name"] == "database-ca")
        assert volume["secret"] == {"secretName": "sigmasight-database-ca"}, name


def test_production_lets_services_out_to_the_servers_and_to_vendors_and_nowhere_inside() -> None:
    reached = {
        each["metadata"]["name"]: each["spec"] for each in manifests("production") if each["kind"] == "NetworkPolicy"
    }
    blocks: dict[str, list[Any]] = {
        name: [place["ipBlock"] for rule in reached[name]["egress"] for place in rule["to"]]
        for name in ("servers", "outside")
    }
    assert all(ip_network(block["cidr"]).prefixlen >= 24 for block in blocks["servers"])
    (vendors,) = blocks["outside"]
    # Neither what else runs in the cluster or beside it, nor what tells a machine its credentials.
    inside = [ip_network(network) for network in vendors["except"]]
    for address in ("10.0.0.1", "172.16.0.1", "192.168.0.1", "100.64.0.1", "169.254.169.254"):
        assert any(ip_address(address) in network for network in inside), address
