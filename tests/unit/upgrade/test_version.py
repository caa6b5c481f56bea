"""The tree of a version that was landed is written beside the repository, and says which code makes its numbers."""

import subprocess
from pathlib import Path

import pytest

from services.portfolio.core.digest import CODE_VERSION
from tests.upgrade.version import ROOT, Version, check_out, commit_of


def _git(repository: Path, *arguments: str) -> None:
    who = ("-c", "user.name=x", "-c", "user.email=x@example.org", "-c", "commit.gpgsign=false")
    subprocess.run(["git", "-C", repository, *who, *arguments], check=True, capture_output=True)


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    made = tmp_path / "repository"
    made.mkdir()
    _git(made, "init", "--initial-branch", "main")
    for text in ("old", "new"):
        (made / "file").write_text(text)
        _git(made, "add", "file")
        _git(made, "commit", "--message", text)
    _git(made, "tag", "first", "HEAD~1")
    return made


def test_tree_is_that_of_the_commit_and_the_repository_stays_as_it_is(repository: Path, tmp_path: Path) -> None:
    (repository / "file").write_text("not committed")
    commit = commit_of(repository, "first")
    tree = check_out(repository, commit, tmp_path / "home")
    assert (tree / "file").read_text() == "old"
    assert (repository / "file").read_text() == "not committed"
    # What stands there already is not written again: it may have its environment.
    (tree / "file").write_text("prepared")
    assert check_out(repository, commit, tmp_path / "home") == tree
    assert (tree / "file").read_text() == "prepared"


def test_version_that_is_not_there_is_refused_with_what_a_clone_may_lack(repository: Path) -> None:
    with pytest.raises(SystemExit, match="git fetch --unshallow"):
        commit_of(repository, "0123456789ab")


def test_tree_that_could_not_be_written_is_none(repository: Path, tmp_path: Path) -> None:
    with pytest.raises(subprocess.CalledProcessError):
        check_out(repository, "0123456789ab", tmp_path / "home")
    assert not (tmp_path / "home" / "0123456789ab").exists()


def test_code_versions_are_those_of_the_tree() -> None:
    found = Version("this", ROOT).code_versions()
    assert found.keys() == {"portfolio", "risk", "symbol_analytics"}
    assert found["portfolio"] == CODE_VERSION
