"""One row a portfolio and session for the values of its positions, with an array for each thing that is said of them.

Fifty rows a portfolio, each with the key of all of them, were a third of the rows of a night and a sixth of its bytes.
"""

from alembic import op

from shared.db.ownership import belonging

revision = "portfolio_0033"
down_revision = "portfolio_0032"
branch_labels = None
depends_on = None

_KEY = "portfolio_id, as_of, revision"
# What is said of every position.
_SAID = {
    "position_id": "uuid",
    "symbol": "text",
    "sector": "text",
    "quantity": "double precision",
    "mark": "double precision",
    "mark_source": "text",
    "mark_age": "integer",
    "oversold": "boolean",
    "splits_known": "boolean",
}
# In cents.
_AMOUNTS = ("market_value", "cost", "pnl", "exit_pnl", "realised_pnl", "dividends", "exposure")
# What is said of some of them: of what cannot be valued, and of options. Null where it is said of none.
_REASONS = ("value_reason", "value_detail")
_OF_OPTIONS = {
    "underlying": "text",
    "delta": "double precision",
    "delta_reason": "text",
    "delta_detail": "text",
    "volatility": "double precision",
    "implied_volatility": "double precision",
    "implied_volatility_reason": "text",
    "implied_volatility_detail": "text",
    "gamma": "double precision",
    "vega": "double precision",
    "theta": "double precision",
    "rho": "double precision",
}
_ALWAYS = (*_SAID, *_AMOUNTS)
_SOMETIMES = (*_REASONS, *_OF_OPTIONS)


def _as_long(name: str) -> str:
    return f"CHECK (cardinality({name}) = cardinality(position_id))"


def _finite(name: str) -> str:
    return f"CHECK ('NaN' <> ALL ({name}) AND 'Infinity' <> ALL ({name}) AND '-Infinity' <> ALL ({name}))"


def _columns() -> str:
    kinds = {**_SAID, **dict.fromkeys(_AMOUNTS, "bigint")}
    optional = {**dict.fromkeys(_REASONS, "text"), **_OF_OPTIONS}
    always = [f"{name} {kind}[] NOT NULL {_as_long(name)}" for name, kind in kinds.items()]
    sometimes = [f"{name} {kind}[] {_as_long(name)}" for name, kind in optional.items()]
    numbers = [name for name, kind in {**kinds, **optional}.items() if kind == "double precision"]
    complete = [f"CHECK (array_position({name}, NULL) IS NULL)" for name in _ALWAYS]
    alike = [
        f"CHECK (array_positions({name}_reason, NULL) = array_positions({name}_detail, NULL))"
        for name in ("value", "delta", "implied_volatility")
    ]
    return ",\n        ".join((*always, *sometimes, *map(_finite, numbers), *complete, *alike))


VALUES = f"""
    CREATE TABLE book_values (
        portfolio_id uuid NOT NULL,
        as_of date NOT NULL,
        revision integer NOT NULL,
        {_columns()},
        PRIMARY KEY ({_KEY}),
        CHECK (0 <= ALL (mark)),
        CHECK (-1 <= ALL (delta) AND 1 >= ALL (delta)),
        CHECK (0 <= ALL (volatility) AND 0 <= ALL (implied_volatility) AND 0 <= ALL (gamma) AND 0 <= ALL (vega)),
        CHECK (array_positions(volatility, NULL) = array_positions(delta, NULL)),
        -- Of an option there is a delta or a reason, of nothing else either of them.
        CHECK (cardinality(array_positions(delta, NULL)) + cardinality(array_positions(delta_reason, NULL))
            = cardinality(position_id) + cardinality(array_positions(underlying, NULL)))
    )
    """


def _unfolded(rows: str) -> str:
    names = (*_ALWAYS, *_SOMETIMES)
    # A product has the decimals of its factors: two.
    amounts = {name: f"v.{name} * 0.01 AS {name}" for name in _AMOUNTS}
    said = ", ".join(amounts.get(name, f"v.{name}") for name in names)
    arrays = ", ".join(f"b.{name}" for name in names)
    return f"""
        SELECT b.portfolio_id, b.as_of, b.revision, {said}
        FROM {rows} b CROSS JOIN LATERAL unnest({arrays}) AS v ({", ".join(names)})
    """


# Whoever reads it may see what they may see of the table.
UNFOLDED = f"CREATE VIEW valued_positions WITH (security_invoker = true) AS {_unfolded('book_values')}"


def _folded(rows: str, *, which: str) -> str:
    cents = {name: f"CAST({name} * 100 AS bigint)" for name in _AMOUNTS}
    always = [f"array_agg({cents.get(name, name)} ORDER BY position_id)" for name in _ALWAYS]
    said_of = {**dict.fromkeys(_REASONS, "some_unvalued"), **dict.fromkeys(_OF_OPTIONS, "some_options")}
    sometimes = [f"array_agg({name} ORDER BY position_id) FILTER (WHERE {said_of[name]})" for name in _SOMETIMES]
    return f"""
        SELECT {_KEY}, {", ".join((*always, *sometimes))} FROM (
            SELECT *, bool_or(value_reason IS NOT NULL) OVER book AS some_unvalued,
                bool_or(underlying IS NOT NULL) OVER book AS some_options
            FROM {rows} WHERE {which} WINDOW book AS (PARTITION BY {_KEY})
        ) p GROUP BY {_KEY}
    """


_INTO = f"INSERT INTO book_values ({_KEY}, {', '.join((*_ALWAYS, *_SOMETIMES))})"
CARRY_OVER = f"""
    DO $$
    DECLARE
        day date;
    BEGIN
        FOR day IN SELECT DISTINCT as_of FROM snapshots LOOP
            {_INTO} {_folded("position_values", which="as_of = day")};
        END LOOP;
    END $$
"""
# Code of either version goes on from what that of the other one has written: each table follows the other one.
FOLLOW_OLD = f"""
    CREATE FUNCTION follow_position_values() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        IF pg_trigger_depth() = 1 THEN
            {_INTO} {_folded("added", which="true")} ON CONFLICT DO NOTHING;
        END IF;
        RETURN NULL;
    END $$
"""
FOLLOW_NEW = f"""
    CREATE FUNCTION follow_book_values() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        IF pg_trigger_depth() = 1 THEN
            INSERT INTO position_values ({_KEY}, {", ".join((*_ALWAYS, *_SOMETIMES))})
            {_unfolded("added")} ON CONFLICT DO NOTHING;
        END IF;
        RETURN NULL;
    END $$
"""


def _following(table: str) -> str:
    return f"""
        CREATE TRIGGER follow_{table} AFTER INSERT ON {table} REFERENCING NEW TABLE AS added
        FOR EACH STATEMENT EXECUTE FUNCTION follow_{table}()
    """


# What was written while the rows were carried over and nothing followed yet; a transaction takes minutes at most.
_RECENT = f"""({_KEY}) IN (
    SELECT {_KEY} FROM snapshots WHERE known_at > transaction_timestamp() - interval '1 hour')"""
LATE = f"{_INTO} {_folded('position_values', which=_RECENT)} ON CONFLICT DO NOTHING"


def upgrade() -> None:
    """Carry the rows over, and let each of the tables follow the other one for as long as both are written to."""
    for statement in (
        *(VALUES, UNFOLDED, *belonging("book_values", "portfolio_id", "portfolios"), CARRY_OVER),
        *(FOLLOW_OLD, FOLLOW_NEW, _following("position_values"), _following("book_values"), LATE),
    ):
        op.execute(statement)
