"""Errors name the options that people typed, not the fields of the API."""

from typing import Any

import pytest
from typer.main import get_command

from services.ops.cli import app
from services.ops.client.commands.backfills import SelectionOptions
from services.ops.client.commands.books import AddPositionOptions, ChangeOptions, CreateOptions
from services.ops.client.commands.letters import ListOptions, RedriveOptions
from services.ops.client.commands.portfolios import ImportOptions
from services.ops.client.commands.runs import OneRunOptions, RunOptions
from services.ops.client.commands.showing import ShowPortfolioOptions
from services.ops.client.flags import FLAGS, flag_of
from services.ops.options import names_of


def _names(parameter: Any) -> list[str]:
    return [parameter.metavar or parameter.name.upper()] if parameter.param_type_name == "argument" else parameter.opts


def _options(command: Any) -> set[str]:
    own = {name for parameter in command.params for name in _names(parameter)}
    return own.union(*map(_options, getattr(command, "commands", {}).values()))


@pytest.mark.parametrize(
    ("options", "field", "flag"),
    [
        (SelectionOptions, "query.first", "--from"),
        (AddPositionOptions, "body.positions.0.entry_price", "--price"),
        (SelectionOptions, "symbols.12", "--symbol"),
        (ShowPortfolioOptions, "query.last", "--as-of"),
        (SelectionOptions, "query.last", "--to"),
        (RunOptions, "first_session", "--start"),
        (CreateOptions, "body.name", "NAME"),
        (ImportOptions, "body.name", "--name"),
        (CreateOptions, "body.currency", "--currency"),
        (RedriveOptions, "body.letter_ids.0", "LETTERS"),
        (ListOptions, "query.run_id", "--run"),
        (OneRunOptions, "path.run_id", "RUN"),
        (ChangeOptions, "path.portfolio_id", "PORTFOLIO"),
        (ChangeOptions, "query.first", "query.first"),
        (RunOptions, "body", "body"),
        (RunOptions, "0", "0"),
        (RunOptions, "", ""),
    ],
)
def test_field_is_called_what_was_typed(options: type, field: str, flag: str) -> None:
    assert flag_of(field, names_of(options)) == flag


def test_every_flag_is_a_name_of_a_command() -> None:
    assert {name for names in FLAGS.values() for name in names} <= _options(get_command(app))
