import errno
import os
import stat
from pathlib import Path

import pytest

from services.ops.data_directory import DataDirectory
from services.ops.errors import Misused
from services.ops.files import write_whole
from services.ops.hosting.embedded import disk
from services.ops.hosting.embedded.ports import remembered_port


def test_secret_is_kept_and_readable_by_its_owner_only(tmp_path: Path) -> None:
    first = DataDirectory(tmp_path).keep_secret("operator.token")
    second = DataDirectory(tmp_path).keep_secret("operator.token")

    assert first == second
    assert len(first.get_secret_value()) >= 32
    assert stat.S_IMODE((tmp_path / "operator.token").stat().st_mode) == 0o600


def test_secret_whose_making_was_killed_is_made_anew(tmp_path: Path) -> None:
    (tmp_path / "operator.token.partial").write_text("")

    assert DataDirectory(tmp_path).keep_secret("operator.token").get_secret_value()


def test_secrets_of_two_names_differ(tmp_path: Path) -> None:
    directory = DataDirectory(tmp_path)

    assert directory.keep_secret("operator.token") != directory.keep_secret("viewer.token")


def test_url_is_known_while_the_stack_runs(tmp_path: Path) -> None:
    directory = DataDirectory(tmp_path)
    assert directory.find_url() is None

    directory.write_endpoint("http://127.0.0.1:8000")
    assert directory.find_url() == "http://127.0.0.1:8000"

    directory.remove_endpoint()
    assert directory.find_url() is None


@pytest.mark.parametrize("left", ["", '{"url": "ht'])
def test_what_a_crash_has_left_of_the_address_is_named(tmp_path: Path, left: str) -> None:
    (tmp_path / "endpoint.json").write_text(left)

    with pytest.raises(Misused, match=r"endpoint.json must be JSON as `up` writes it, was damaged"):
        DataDirectory(tmp_path).find_url()


def test_file_is_whole_or_as_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kept = tmp_path / "port"
    write_whole(kept, "21000")
    monkeypatch.setattr(os, "fsync", _no_space)

    with pytest.raises(OSError, match="No space left"):
        write_whole(kept, "22000")

    assert kept.read_text() == "21000"
    monkeypatch.undo()
    write_whole(kept, "22000")
    assert kept.read_text() == "22000"


def _no_space(descriptor: int) -> None:
    raise OSError(errno.ENOSPC, f"No space left for {descriptor}")


@pytest.mark.parametrize("left", ["", "x", "99999", "0"])
def test_what_a_crash_has_left_of_a_port_is_forgotten(tmp_path: Path, left: str) -> None:
    memory = tmp_path / "port"
    memory.write_text(left)

    port = remembered_port(memory)

    assert memory.read_text() == str(port)
    assert remembered_port(memory) == port


async def test_disk_with_little_space_is_a_trouble_that_says_how_much(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(disk, "LEAST_FREE_MIB", 0)
    assert await disk.disk_troubles([tmp_path]) == []

    monkeypatch.setattr(disk, "LEAST_FREE_MIB", 10**9)
    (trouble,) = await disk.disk_troubles([tmp_path, tmp_path])
    assert trouble.startswith(f"the disk of {tmp_path} must have 1000000000 MiB free, had ")
