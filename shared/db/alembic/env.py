"""Alembic's entry point for every service: the caller hands over an open connection of the service's role."""

from alembic import context

connection = context.config.attributes["connection"]
context.configure(connection=connection, version_table="alembic_version", transaction_per_migration=True)
with context.begin_transaction():
    context.run_migrations()
