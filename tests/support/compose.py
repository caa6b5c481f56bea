"""What docker-compose.yml says, as it would be without containers: environments, commands, and Kafka's properties."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[2]
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())


def example_environment() -> dict[str, str]:
    """Return what `.env.example` sets, which a first `.env` is a copy of."""
    set_there = re.findall(r"^([A-Z_0-9]+)=(.*)$", (ROOT / ".env.example").read_text(), re.M)
    return {name: value.strip("\"'") for name, value in set_there}


def environment_of(service: str, env_file: Mapping[str, str]) -> dict[str, str]:
    """Return the environment of a container beside that `.env`."""
    said = COMPOSE["services"][service]["environment"]
    own = {name: _filled_in(str(value), env_file) for name, value in said.items()}
    return {**(env_file if "env_file" in COMPOSE["services"][service] else {}), **own}


def properties_of(environment: Mapping[str, str]) -> dict[str, str]:
    """Return the properties that the image of Apache Kafka makes of its environment."""
    return {
        _property(name.removeprefix("KAFKA_")): value
        for name, value in environment.items()
        if name.startswith("KAFKA_")
    }


def _property(name: str) -> str:
    for said, meant in (("___", "-"), ("__", "\0"), ("_", ".")):
        name = name.replace(said, meant)
    return name.replace("\0", "_").lower()


def _filled_in(text: str, env_file: Mapping[str, str]) -> str:
    return re.sub(r"\$\{(\w+):-([^}]*)\}", lambda found: env_file.get(found[1]) or found[2], text)
