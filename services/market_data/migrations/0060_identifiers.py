"""What shares are called: renames and spellings of vendors, with the days on which they hold."""

from alembic import op

revision = "market_data_0060"
down_revision = "market_data_0031"
branch_labels = None
depends_on = None

TABLES = (
    """
    CREATE TABLE identifiers (
        identifier_id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        symbol text NOT NULL,
        name text NOT NULL,
        vendor text NOT NULL,
        first_day date NOT NULL,
        last_day date NOT NULL,
        source text NOT NULL,
        why text NOT NULL,
        said_by text NOT NULL,
        said_at timestamptz NOT NULL DEFAULT clock_timestamp(),
        withdrawn_by text,
        withdrawn_at timestamptz,
        UNIQUE (symbol, name, vendor, first_day, last_day),
        CHECK (first_day <= last_day),
        CHECK (vendor <> '' OR (symbol <> name AND last_day < '9999-12-31')),
        CHECK ((withdrawn_by IS NULL) = (withdrawn_at IS NULL))
    )
    """,
)


def upgrade() -> None:
    """Create the table."""
    for statement in TABLES:
        op.execute(statement)
