"""Who may import whom: the contracts of pyproject.toml."""

from importlinter.cli import EXIT_STATUS_SUCCESS, lint_imports

from tests.support.source import ROOT


def test_imports_keep_every_contract() -> None:
    """Prevents a monolith: a service that reads another one's code is deployed and broken together with it."""
    assert lint_imports(config_filename=str(ROOT / "pyproject.toml"), no_cache=True) == EXIT_STATUS_SUCCESS
