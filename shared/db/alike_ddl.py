"""The statements that have rows of a table name what they say alike, beside code that has each row say it."""

from collections.abc import Mapping, Sequence


def said_once(
    table: str, within: tuple[str, str], columns: Mapping[str, str], *, own: Sequence[str], agrees: str
) -> tuple[str, ...]:
    """Return the statements of the step `pre`: rows may leave to another table what they say alike.

    Until `post` such rows are filled in as they come: for code that reads the table itself, and for its constraints.

    Parameters
    ----------
    table : str
        Whose rows.
    within : tuple of str
        The column that says among which rows, and its type.
    columns : mapping of str to str
        What they say alike, with the type and the checks of each.
    own : sequence of str
        The other columns, in the order of the view; or what a row `t` says by one.
    agrees : str
        What holds of a row `t` and of what it names, `a`.
    """
    among, kind = within
    said = ", ".join(f"{name} {of_type}" for name, of_type in columns.items())
    whole = ", ".join(
        (
            *(f"t.{name}" if name.isidentifier() else name for name in own),
            *(f"coalesce(t.{name}, a.{name}) AS {name}" for name in columns),
        )
    )
    filled = ", ".join(f"NEW.{name}" for name in columns)
    taken = ", ".join(f"a.{name}" for name in columns)
    return (
        f"CREATE TABLE {table}_alike "
        f"({among} {kind} NOT NULL, alike bigint NOT NULL, {said}, PRIMARY KEY ({among}, alike))",
        f"ALTER TABLE {table} ADD COLUMN alike bigint",
        f"""
        CREATE VIEW {table}_whole WITH (security_invoker = true) AS
        SELECT {whole} FROM {table} t LEFT JOIN {table}_alike a ON a.{among} = t.{among} AND a.alike = t.alike
        """,
        f"""
        CREATE FUNCTION fill_{table}() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
        BEGIN
            SELECT {taken} INTO {filled} FROM {table}_alike a WHERE a.{among} = NEW.{among} AND a.alike = NEW.alike;
            RETURN NEW;
        END $$
        """,
        f"""
        CREATE TRIGGER fill_{table} BEFORE INSERT ON {table}
        FOR EACH ROW WHEN (NEW.alike IS NOT NULL) EXECUTE FUNCTION fill_{table}()
        """,
        # Rows come from sessions with another path, too: those that take over what stands beside a schema. Once a
        # statement, not a row: what rows name is there, and goes with what they say themselves.
        f"""
        CREATE FUNCTION check_{table}() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
        BEGIN
            IF EXISTS (
                SELECT FROM added t LEFT JOIN {table}_alike a ON a.{among} = t.{among} AND a.alike = t.alike
                WHERE t.alike IS NOT NULL AND (a.alike IS NULL OR NOT ({agrees}))
            ) THEN
                RAISE check_violation USING MESSAGE = 'rows of {table} do not go with what they say alike';
            END IF;
            RETURN NULL;
        END $$
        """,
        *(
            f"""
            CREATE TRIGGER check_{table}_{event} AFTER {event} ON {table} REFERENCING NEW TABLE AS added
            FOR EACH STATEMENT EXECUTE FUNCTION check_{table}()
            """
            for event in ("INSERT", "UPDATE")
        ),
    )


def no_longer_filled(table: str, required: Sequence[str]) -> tuple[str, ...]:
    """Return the statements of the step `post`: nobody is left who reads the table itself.

    Parameters
    ----------
    table : str
        Whose rows.
    required : sequence of str
        What every row says that names nothing.
    """
    freed = ", ".join(f"ALTER COLUMN {name} DROP NOT NULL" for name in required)
    complete = " AND ".join(f"{name} IS NOT NULL" for name in required)
    return (
        f"DROP TRIGGER fill_{table} ON {table}",
        f"DROP FUNCTION fill_{table}()",
        f"ALTER TABLE {table} ADD CONSTRAINT {table}_said CHECK (alike IS NOT NULL OR ({complete})), {freed}",
    )


def compressed(table: str, columns: Sequence[str]) -> tuple[str, ...]:
    """Return the statements that have all of these columns of a long row compressed, and stand in the row still.

    Rows of 2 kB and less are left as they are whatever a table says, and of longer ones no more columns are compressed
    than it takes to be shorter than the target.
    """
    within = ", ".join(f"ALTER COLUMN {name} SET STORAGE MAIN" for name in columns)
    return (f"ALTER TABLE {table} {within}", f"ALTER TABLE {table} SET (toast_tuple_target = 128)")
