"""Dead letters have names and are waiting until somebody deals with them."""

from alembic import op

revision = "scheduler_0010"
down_revision = "scheduler_0009"
branch_labels = None
depends_on = None

TABLES = (
    # A function of what it is: recorded again, also into an empty schema, a letter has the same name. With the digest,
    # since a broker that has lost its log gives the same positions to other messages.
    """
    ALTER TABLE dead_letters
        ADD COLUMN letter_id uuid GENERATED ALWAYS AS (
            md5(topic || '/' || partition_number::text || '/' || position::text || '/' || consumer || '/' || md5(value))
            ::uuid
        ) STORED PRIMARY KEY,
        ADD COLUMN key text NOT NULL DEFAULT '',
        ADD COLUMN status text NOT NULL DEFAULT 'waiting',
        ADD COLUMN dropped_at timestamptz,
        ADD COLUMN dropped_by text,
        ADD COLUMN dropped_why text,
        ADD CHECK ((status = 'dropped') = (dropped_at IS NOT NULL))
    """,
    "DROP INDEX dead_letters_once",
    "CREATE INDEX dead_letters_open ON dead_letters (place) WHERE status NOT IN ('settled', 'dropped')",
)


def upgrade() -> None:
    """Change the table."""
    for statement in TABLES:
        op.execute(statement)
