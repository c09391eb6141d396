"""Questions in SQL over the tables of a deployment: read only, without files, network or extensions, and limited.

DuckDB reads the Delta tables as Arrow data sets, so that columns and conditions decide what is read. The connection
is made for one question and locked before the question is looked at: it can see these tables and nothing else.
"""

from __future__ import annotations

import threading
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from nbprod.errors import DataError, EnvironmentProblem, RefusedError, SettingsError
from nbprod.lake import Lake
from nbprod.lake.columns import INPUT, input_name

__all__ = ["QueryLimits", "answer"]

#: Set before the first word of the question is parsed; the last one lets nothing be set afterwards.
LOCKS = (
    "SET TimeZone = 'UTC'",
    "SET temp_directory = ''",
    "SET enable_external_access = false",
    "SET lock_configuration = true",
)
CONFIGURATION = {
    "python_enable_replacements": "false",  # else names of Python's variables would be tables
    "autoinstall_known_extensions": "false",
    "autoload_known_extensions": "false",
    "allow_community_extensions": "false",
    "threads": "2",
}
#: As `nbprod.lake.window` joins them: the outcome of the id, else of the unit where it came after the prediction.
SCORED = """
CREATE VIEW scored AS
SELECT p.*, coalesce(o.outcome, u.outcome) AS outcome, coalesce(o."at", u."at") AS outcome_at
FROM predictions p
LEFT JOIN outcomes o ON o.prediction_id = p.prediction_id
LEFT JOIN outcomes u ON o.prediction_id IS NULL AND u.unit = p.unit AND u."at" >= p."at"
"""
ABOUT = (
    "Tables: predictions, outcomes, scored (both joined), failures, shadows, health, checks, alerts. "
    'SQL has a word AT, so write "at" in double quotes, or p.at.'
)


@dataclass(frozen=True, kw_only=True)
class QueryLimits:
    """How much a question may take."""

    timeout_s: float = 60.0
    memory_mb: int = 1024  #: of DuckDB; nothing is written to the disk beyond it
    most_rows: int = 1_000_000  #: of the answer

    def __post_init__(self) -> None:
        if self.timeout_s <= 0 or self.memory_mb < 1 or self.most_rows < 1:
            raise SettingsError("the limits of a question are numbers above 0", hint="Give --timeout 60, say.")


def answer(
    lake: Lake,
    deployment: str,
    sql: str,
    *,
    private: Collection[str],
    records: Mapping[str, pa.Table],
    limits: QueryLimits,
) -> pa.Table:
    """Ask one question.

    Parameters
    ----------
    lake, deployment
        Whose tables.
    sql
        One ``SELECT``.
    private
        Inputs that are not shown, even where an older table holds them.
    records
        Further tables by name.
    limits
        Of time, memory and rows.

    Raises
    ------
    DataError
        DuckDB does not understand the question, or it is not one.
    RefusedError
        The answer takes more than the limits allow.
    EnvironmentProblem
        DuckDB is not installed.
    """
    try:
        import duckdb  # delayed: 68 MB that only those who ask in SQL have
    except ImportError as problem:
        raise EnvironmentProblem("SQL needs DuckDB", hint="Install it: pip install 'nbprod[sql]'.") from problem
    with duckdb.connect(":memory:", config={**CONFIGURATION, "memory_limit": f"{limits.memory_mb}MB"}) as connection:
        for name, table in {**_tables(lake, deployment, private), **records}.items():
            connection.register(name, table)
        connection.execute(SCORED)
        for statement in LOCKS:
            connection.execute(statement)
        is_done = threading.Event()
        clock = threading.Thread(target=_interrupt, args=(connection, limits.timeout_s, is_done), daemon=True)
        clock.start()
        try:
            statements = duckdb.extract_statements(sql)
            if len(statements) != 1 or statements[0].type != duckdb.StatementType.SELECT:
                raise DataError("a question is one SELECT", hint=ABOUT)
            return _fetched(connection.sql(sql), limits)
        except duckdb.InterruptException as problem:
            raise RefusedError(
                f"the answer took longer than {limits.timeout_s:g} s",
                hint='Ask for a shorter time, WHERE "at" >= …, or give more: --timeout 300.',
            ) from problem
        except duckdb.OutOfMemoryException as problem:
            raise RefusedError(
                f"the answer takes more than {limits.memory_mb} MB",
                hint="Ask for fewer columns or a shorter time, or give more: --memory-mb 4096.",
            ) from problem
        except duckdb.Error as problem:
            raise DataError(f"SQL: {str(problem).strip()}", hint=ABOUT) from problem
        finally:
            is_done.set()
            clock.join()


def _interrupt(connection: Any, timeout_s: float, is_done: threading.Event) -> None:
    """End what takes too long; again and again, since DuckDB forgets an interrupt that comes before it executes."""
    wait_s = timeout_s
    while not is_done.wait(wait_s):
        connection.interrupt()
        wait_s = 0.1


def _fetched(relation: Any, limits: QueryLimits) -> pa.Table:
    reader = relation.to_arrow_reader()
    batches, count = [], 0
    for batch in reader:
        count += batch.num_rows
        if count > limits.most_rows:
            raise RefusedError(
                f"the answer has more than {limits.most_rows:,} rows", hint="Add a LIMIT, or give --most-rows."
            )
        batches.append(batch)
    return pa.Table.from_batches(batches, schema=reader.schema)


def _tables(lake: Lake, deployment: str, private: Collection[str]) -> dict[str, Any]:
    predictions = lake.predictions(deployment)
    outcomes, _ = lake.outcomes(deployment).latest()
    found = predictions.dataset()
    hidden = {name for name in found.schema.names if name.startswith(INPUT) and input_name(name) in private}
    seen = pa.schema([field for field in found.schema if field.name not in hidden])
    return {
        "predictions": found.replace_schema(seen) if hidden else found,
        "outcomes": outcomes,
        **{name: getattr(lake, name)(deployment).dataset() for name in ("failures", "shadows", "health")},
    }
