"""Bars that are not used as they were delivered, and what people decided about them."""

from alembic import op

from services.market_data.core.bars import BAR_FIELDS

revision = "market_data_0007"
down_revision = "market_data_0006"
branch_labels = None
depends_on = None

FIELDS = ", ".join(f"{name} double precision" for name in BAR_FIELDS)

STATEMENTS = (
    # As a provider gave it, where `bars` has none of that session or has it with other events.
    f"""
    CREATE TABLE delivered_bars (
        symbol_id integer NOT NULL REFERENCES instruments,
        session date NOT NULL,
        {FIELDS},
        PRIMARY KEY (symbol_id, session)
    )
    """,
    # Appended: the newest of a place counts. Applied by the run that judged the symbol with it.
    """
    CREATE TABLE rulings (
        ruling_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        symbol text NOT NULL,
        session date NOT NULL,
        rule text NOT NULL,
        decision text NOT NULL CHECK (decision IN ('accept', 'refuse')),
        value double precision NOT NULL,
        decided_by text NOT NULL,
        why text NOT NULL,
        decided_at timestamptz NOT NULL DEFAULT clock_timestamp(),
        applied_by uuid
    )
    """,
    "CREATE INDEX rulings_by_place ON rulings (symbol, session, rule, ruling_id)",
    "CREATE INDEX rulings_waiting ON rulings (symbol) WHERE applied_by IS NULL",
    "ALTER TABLE findings ADD COLUMN value double precision",
    "CREATE INDEX findings_by_symbol ON findings (symbol, rule)",
    # Whether the adjusted closes are ours, and not the provider's.
    "ALTER TABLE instruments ADD COLUMN derived boolean NOT NULL DEFAULT false",
)


def upgrade() -> None:
    """Create the tables."""
    for statement in STATEMENTS:
        op.execute(statement)
