"""Makes the example data the wheel carries: two published CSV files as Parquet, each with a time column."""

from __future__ import annotations

import argparse
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

HERE = Path(__file__).resolve().parent
TARGET = HERE.parent / "nbprod" / "resources" / "data"


def electricity(source: Path) -> pd.DataFrame:
    """Read Elec2; the file has no date, so row *i* is taken as 7 May 1996 00:00 UTC plus *i* half-hours."""
    frame = pd.read_csv(source)
    at = pd.date_range("1996-05-07", periods=len(frame), freq="30min", tz="UTC", unit="ms")
    frame.insert(0, "at", at)
    return frame


def bike_sharing(source: Path) -> pd.DataFrame:
    """Read the hourly file; ``dteday`` (month/day/year) and ``hr`` become one moment."""
    frame = pd.read_csv(source)
    day = pd.to_datetime(frame.pop("dteday"), format="%m/%d/%Y")
    at = (day + pd.to_timedelta(frame["hr"], unit="h")).dt.tz_localize("UTC").dt.as_unit("ms")
    frame = frame.drop(columns="instant")
    frame.insert(0, "at", at)
    return frame


def write(frame: pd.DataFrame, path: Path) -> None:
    """Write Parquet that is the same bytes for the same frame and pyarrow version."""
    table = pa.Table.from_pandas(frame, preserve_index=False).replace_schema_metadata(None)
    pq.write_table(table, path, compression="zstd", compression_level=19)
    print(f"{path.name}: {table.num_rows:,} rows, {table.num_columns} columns, {path.stat().st_size / 1e3:.0f} kB")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, help="holds electricity.csv and bike_sharing_hourly.csv")
    parser.add_argument("--to", type=Path, default=TARGET, help="where the Parquet files go")
    arguments = parser.parse_args()
    arguments.to.mkdir(parents=True, exist_ok=True)
    write(electricity(arguments.folder / "electricity.csv"), arguments.to / "electricity.parquet")
    write(bike_sharing(arguments.folder / "bike_sharing_hourly.csv"), arguments.to / "bike_sharing.parquet")


if __name__ == "__main__":
    main()
