"""What a template says, and how it is read back: results, tables, pictures, checks and the model.

In a run the results are kept as outputs of the executed notebook; run by hand, they are only shown. Nothing heavy is
imported before a value needs it.
"""

from __future__ import annotations

from nbprod.recording.context import private_columns
from nbprod.recording.models import save_model
from nbprod.recording.reading import Records, read_records
from nbprod.recording.results import record

__all__ = ["Records", "private_columns", "read_records", "record", "save_model"]
