import stat
from pathlib import Path

from services.ops.data_directory import DataDirectory


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
