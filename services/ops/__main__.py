"""`python -m services.ops` is `sigmasight`."""

from services.ops.cli import app

app()
