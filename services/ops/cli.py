"""The command line `sigmasight`."""

from typing import Any

import typer
from typer.core import TyperGroup

from services.ops.commands import hosting, runs
from services.ops.errors import CommandError


class _Commands(TyperGroup):
    """Ends a command that failed with one line and its exit code instead of a traceback."""

    def invoke(self, ctx: Any) -> Any:
        """Run the command."""
        try:
            return super().invoke(ctx)
        except CommandError as error:
            typer.echo(f"sigmasight: {error}", err=True)
            raise typer.Exit(error.exit_code) from error


app = typer.Typer(
    cls=_Commands,
    help="Portfolio analytics, chained over Kafka: run the platform and talk to it.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.command("up")(hosting.up)
app.command("serve")(hosting.serve)
app.command("migrate")(hosting.migrate)
app.command("rebuild")(hosting.rebuild)
app.command("run")(runs.run)
app.command("status")(runs.status)
