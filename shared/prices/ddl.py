"""The tables of a price replica, created by the migrations of the services that keep one."""

PRICE_TABLES = (
    """
    CREATE TABLE price_symbols (
        symbol_id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        symbol text NOT NULL UNIQUE
    )
    """,
    # written_by lets an in-memory copy ask for what its last snapshot did not see (see panel.py).
    """
    CREATE TABLE price_bars (
        symbol_id integer NOT NULL REFERENCES price_symbols,
        session date NOT NULL,
        close double precision NOT NULL CHECK (close > 0 AND close < 'Infinity'),
        adjusted double precision NOT NULL CHECK (adjusted > 0 AND adjusted < 'Infinity'),
        split double precision NOT NULL DEFAULT 1 CHECK (split > 0),
        dividend double precision NOT NULL DEFAULT 0 CHECK (dividend >= 0),
        written_by xid8 NOT NULL DEFAULT pg_current_xact_id(),
        PRIMARY KEY (symbol_id, session)
    )
    """,
    "CREATE INDEX price_bars_written_by ON price_bars (written_by)",
)

# Who gave the bars of a symbol: a history has one provider, another one's answer replaces all of it.
SOURCE_COLUMN = "ALTER TABLE price_symbols ADD COLUMN source text"

# From where to where the bars that came with a run are others than those announced before.
CORRECTIONS_TABLE = """
    CREATE TABLE corrections (
        run_id uuid NOT NULL,
        symbol text NOT NULL,
        first_session date NOT NULL,
        last_session date NOT NULL CHECK (last_session >= first_session),
        PRIMARY KEY (run_id, symbol)
    )
    """

# Why a session of a symbol has no bar although one was delivered.
HELD_TABLE = """
    CREATE TABLE held_closes (
        symbol text NOT NULL,
        session date NOT NULL,
        rule text NOT NULL,
        PRIMARY KEY (symbol, session)
    )
    """

# A bar that was announced and counts no longer stays as a row without prices: who has it in memory has to see it go.
TAKEN_BACK = "ALTER TABLE price_bars ALTER COLUMN close DROP NOT NULL, ALTER COLUMN adjusted DROP NOT NULL"

# Where a bar stands among the changes of its symbol's bars, 0 for one that was announced without saying so; and
# whether nobody gave its split.
REVISED = """
    ALTER TABLE price_bars
        ADD COLUMN revision bigint NOT NULL DEFAULT 0, ADD COLUMN inferred boolean NOT NULL DEFAULT false
"""

# Who stores bars has read the numbers of their symbols in the same transaction, once for all of them; a reference is
# looked up once a bar, which takes longer than to store it.
CHECKED_BY_STATEMENT = "ALTER TABLE price_bars DROP CONSTRAINT price_bars_symbol_id_fkey"
