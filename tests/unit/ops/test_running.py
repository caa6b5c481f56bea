import socket
from pathlib import Path

import pytest

from services.ops.data_directory import DataDirectory
from services.ops.errors import CommandError
from services.ops.hosting.host_options import HostOptions
from services.ops.hosting.running import run_platform, run_services
from shared.factor_set import SAMPLE_FACTOR_SET
from shared.providers import PROVIDER_NAMES


def _options(data_dir: Path, **changes: object) -> HostOptions:
    options: dict[str, object] = {
        "data_dir": DataDirectory(data_dir),
        "host": "127.0.0.1",
        "port": 0,
        "broker": None,
        "bootstrap_servers": "127.0.0.1:1",
        "database_url": "postgresql://nobody:secret@127.0.0.1:1/none",
        "providers": ("sample",),
        "files": None,
        "factor_set": SAMPLE_FACTOR_SET,
    }
    return HostOptions(**{**options, **changes})  # type: ignore[arg-type]


def test_platform_without_database_is_one_line_without_its_password(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SERVICE_DATABASE_PASSWORD", "sesame")

    with pytest.raises(CommandError, match="a file, a port or the database cannot be used") as failed:
        run_platform(_options(tmp_path))

    assert "\n" not in str(failed.value)
    assert "secret" not in str(failed.value)
    assert "sesame" not in str(failed.value)


def test_platform_on_given_servers_without_password_says_what_to_set(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SERVICE_DATABASE_PASSWORD", raising=False)

    said = "SERVICE_DATABASE_PASSWORD must be set, or SCHEDULER_DATABASE_PASSWORD or SCHEDULER_DATABASE_URL"
    with pytest.raises(CommandError, match=said):
        run_platform(_options(tmp_path))


def test_service_with_unknown_provider_names_the_known_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    needed = {
        "DATABASE_URL": "postgresql://x@h/d",
        "BOOTSTRAP_SERVERS": "h:1",
        "VIEWER_TOKEN": "v",
        "OPERATOR_TOKEN": "o",
    }
    for name, value in {**needed, "MARKET_DATA_PROVIDERS": "oracle"}.items():
        monkeypatch.setenv(name, value)

    with pytest.raises(CommandError) as refused:
        run_services(["market_data"], "127.0.0.1", 0)

    assert all(repr(name) in str(refused.value) for name in PROVIDER_NAMES)


def test_platform_on_taken_port_starts_nothing(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with pytest.raises(CommandError, match="--port"):
            run_platform(_options(tmp_path / "data", port=taken.getsockname()[1]))

    assert not (tmp_path / "data").exists()
