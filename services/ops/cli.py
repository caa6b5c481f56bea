"""The command line `sigmasight`.

Its modules say what each command takes; what a command needs is imported when it runs. Help, completion and a refusal
come at once, whatever the platform has grown to.
"""

import os
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from services.ops import demonstration
from services.ops.client.commands import (
    actions,
    analysis,
    backfills,
    benchmarks,
    books,
    coverage,
    exports,
    findings,
    identifiers,
    letters,
    portfolios,
    runs,
    schedule,
    showing,
    universes,
    vendors,
)
from services.ops.errors import CommandError
from services.ops.hosting import audit_commands as audit
from services.ops.hosting import commands as hosting
from services.ops.hosting import recovery
from services.ops.people import commands as people
from services.ops.terminal import say

# BLAS reads it when NumPy is loaded, which no module above does. Two threads for the small matrices of a portfolio take
# twice the processor time of one; processes share the cores (ADR 25), and bits do not depend on their number (ADR 5).
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")


class _Commands(TyperGroup):
    """Ends a command that failed with one line, what it does not say of wrong fields, and its exit code."""

    def invoke(self, ctx: Any) -> Any:
        """Run the command."""
        try:
            return super().invoke(ctx)
        except CommandError as error:
            say(f"sigmasight: {error}", err=True)
            for wrong in map(str, error.errors):
                if wrong not in str(error):
                    say(f"  {wrong}", err=True)
            raise typer.Exit(error.exit_code) from error


app = typer.Typer(
    cls=_Commands,
    no_args_is_help=True,
    context_settings={"help_option_names": ["-h", "--help"]},
    # With rich, help takes three times as long.
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)


def _say_version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        say(f"sigmasight {version('sigmasight')}")
        raise typer.Exit


@app.callback()
def main(
    *,
    shown: Annotated[
        bool, typer.Option("--version", callback=_say_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    """Portfolio analytics, chained over Kafka: run the platform and talk to it."""


app.command("up")(hosting.up)
app.command("demo")(demonstration.demo)
app.command("serve")(hosting.serve)
app.command("board")(hosting.board)
app.command("migrate")(hosting.migrate)
app.command("rebuild")(recovery.rebuild)
app.command("replay")(recovery.replay)
app.command("requeue")(recovery.requeue)
app.command("run")(runs.run)
app.command("status")(runs.status)
app.command("trigger")(schedule.trigger)
app.command("ready")(coverage.ready)
app.command("coverage")(coverage.coverage)
app.command("findings")(findings.findings)
app.command("why")(vendors.why)
app.command("vendors")(vendors.vendors)
app.command("ask-again")(vendors.ask_again)
app.command("accept")(findings.accept)
app.command("refuse")(findings.refuse)
app.command("export")(exports.export)
app.command("explain")(analysis.explain)
app.command("changes")(analysis.changes)
app.command("report")(analysis.report)

admitted = typer.Typer(help="Say who may sign in, and as what.", no_args_is_help=True)
admitted.command("add")(people.add)
admitted.command("list")(people.list_users)
admitted.command("set-password")(people.set_password)
admitted.command("remove")(people.remove)
app.add_typer(admitted, name="users")

done = typer.Typer(help="See who changed what, and that nobody changed that.", no_args_is_help=True)
done.command("list")(audit.list_actions)
done.command("verify")(audit.verify_actions)
app.add_typer(done, name="audit")

asked = typer.Typer(help="List runs, say what failed, try it again, cancel.", no_args_is_help=True)
asked.command("list")(runs.list_runs)
asked.command("show")(runs.show)
asked.command("logs")(runs.logs)
asked.command("retry-failed")(runs.retry_failed)
asked.command("cancel")(runs.cancel)
app.add_typer(asked, name="runs")

undelivered = typer.Typer(help="See what could not be processed, and deal with it.", no_args_is_help=True)
undelivered.command("list")(letters.list_letters)
undelivered.command("show")(letters.show)
undelivered.command("redrive")(letters.redrive)
undelivered.command("drop")(letters.drop)
app.add_typer(undelivered, name="dead-letters")

entering = typer.Typer(help="Enter portfolios and list them.", no_args_is_help=True)
entering.command("import")(portfolios.import_portfolio)
entering.command("create")(books.create)
entering.command("list")(portfolios.list_portfolios)
entering.command("rename")(books.rename)
entering.command("give")(books.give)
entering.command("close")(books.close)
entering.command("reopen")(books.reopen)
entering.command("show")(books.show)
entering.command("edits")(books.edits)
app.add_typer(entering, name="portfolios")

holding = typer.Typer(help="Enter, correct and close positions.", no_args_is_help=True)
holding.command("list")(books.list_positions)
holding.command("add")(books.add_position)
holding.command("load")(books.load_positions)
holding.command("correct")(books.correct_position)
holding.command("exit")(books.exit_position)
holding.command("remove")(books.remove_position)
app.add_typer(holding, name="positions")

paying = typer.Typer(help="Enter and correct money paid in and taken out.", no_args_is_help=True)
paying.command("list")(books.list_flows)
paying.command("add")(books.add_flow)
paying.command("correct")(books.correct_flow)
paying.command("remove")(books.remove_flow)
app.add_typer(paying, name="flows")

nights = typer.Typer(invoke_without_command=True, callback=schedule.schedule)
nights.command("pause")(schedule.pause)
nights.command("resume")(schedule.resume)
app.add_typer(nights, name="schedule")

filling = typer.Typer(help="Compute what was left out, or again.", no_args_is_help=True)
filling.command("plan")(backfills.plan)
filling.command("start")(backfills.start)
filling.command("list")(backfills.list_backfills)
filling.command("show")(backfills.show)
filling.command("pause")(backfills.pause)
filling.command("resume")(backfills.resume)
filling.command("cancel")(backfills.cancel)
filling.command("retry-failed")(backfills.retry_failed)
app.add_typer(filling, name="backfill")

indices = typer.Typer(help="Load what books are compared with.", no_args_is_help=True)
indices.command("load")(benchmarks.load_benchmark)
app.add_typer(indices, name="benchmarks")

watching = typer.Typer(help="Load what indices are made of.", no_args_is_help=True)
watching.command("load")(universes.load)
watching.command("show")(universes.show)
app.add_typer(watching, name="universe")

acting = typer.Typer(help="See what companies did to their shares.", no_args_is_help=True)
acting.command("list")(actions.list_actions)
acting.command("add")(actions.add)
app.add_typer(acting, name="actions")

naming = typer.Typer(help="Say what shares are called: renames, spellings.", no_args_is_help=True)
naming.command("list")(identifiers.list_identifiers)
naming.command("rename")(identifiers.rename)
naming.command("spell")(identifiers.spell)
naming.command("private")(identifiers.private)
naming.command("withdraw")(identifiers.withdraw)
app.add_typer(naming, name="identifiers")

show = typer.Typer(help="Show results, each a value or the reason why there is none.", no_args_is_help=True)
show.command("portfolio")(showing.show_portfolio)
show.command("symbol")(showing.show_symbol)
app.add_typer(show, name="show")
