"""What kustomize makes of deploy/kubernetes, as far as it is used there."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from tests.support.compose import ROOT

DIRECTORY = ROOT / "deploy" / "kubernetes"

Manifest = dict[str, Any]


def rendered(directory: Path) -> list[Manifest]:
    """Return the manifests of a directory with a kustomization."""
    said = yaml.safe_load((directory / "kustomization.yaml").read_text())
    manifests = [each for path in said.get("resources", []) for each in _read(directory / path)]
    for path in said.get("components", []):
        manifests += rendered(directory / path)
    manifests += [_config_map(directory, each) for each in said.get("configMapGenerator", [])]
    for patch in said.get("patches", []):
        change = yaml.safe_load((directory / patch["path"]).read_text())
        manifests = [_merged(each, change) if _is_meant(each, change, patch) else each for each in manifests]
    for manifest in manifests:
        _set_images(manifest, said.get("images", []))
        for wanted in said.get("replicas", []):
            if manifest["kind"] == "Deployment" and manifest["metadata"]["name"] == wanted["name"]:
                manifest["spec"]["replicas"] = wanted["count"]
        if "namespace" in said and manifest["kind"] != "Namespace":
            manifest["metadata"]["namespace"] = said["namespace"]
    return manifests


def containers(manifest: Manifest) -> list[Manifest]:
    """Return the containers that a manifest runs."""
    found: list[Manifest] = pod_of(manifest).get("containers", [])
    return found


def pod_of(manifest: Manifest) -> Manifest:
    """Return the pod that a manifest makes; empty where it makes none."""
    spec: Manifest = manifest.get("spec", {})
    made = spec["jobTemplate"]["spec"] if "jobTemplate" in spec else spec
    pod: Manifest = made.get("template", {}).get("spec", {})
    return pod


def _read(path: Path) -> Iterator[Manifest]:
    if path.is_dir():
        yield from rendered(path)
    else:
        yield from yaml.safe_load_all(path.read_text())


def _config_map(directory: Path, said: Manifest) -> Manifest:
    files = {name: (directory / name).read_text() for name in said["files"]}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": said["name"]}, "data": files}


def _is_meant(manifest: Manifest, change: Manifest, patch: Manifest) -> bool:
    target = patch.get("target") or {"kind": change["kind"], "name": change["metadata"]["name"]}
    labels = dict(re.findall(r"(\S+?)=([^,]+)", target.get("labelSelector", "")))
    metadata = manifest["metadata"]
    return bool(
        manifest["kind"] == target["kind"]
        and target.get("name", metadata["name"]) == metadata["name"]
        and labels.items() <= metadata.get("labels", {}).items()
    )


def _merged(here: Any, change: Any) -> Any:
    """Merge as Kubernetes does: mappings by key, lists of named things by name, other lists as a whole."""
    if isinstance(here, dict) and isinstance(change, dict):
        kept = {name: value for name, value in change.items() if (name, "name") != ("metadata", "name")}
        merged = {**here, **{name: _merged(here.get(name), value) for name, value in kept.items()}}
        if "metadata" in here and "kind" in here:
            merged["metadata"] = here["metadata"]
        return merged
    if isinstance(here, list) and isinstance(change, list) and all("name" in each for each in (*here, *change)):
        named = {each["name"]: each for each in here}
        return list({**named, **{each["name"]: _merged(named.get(each["name"]), each) for each in change}}.values())
    return change


def _set_images(manifest: Manifest, images: list[Manifest]) -> None:
    for container in containers(manifest):
        for image in images:
            if container["image"] == image["name"]:
                end = f"@{image['digest']}" if "digest" in image else f":{image['newTag']}"
                container["image"] = f"{image['newName']}{end}"
