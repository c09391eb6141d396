"""The fast predictor of a package: rows checked against its schema and predicted by its compiled model."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import numpy as np

from nbprod.compiled.certificate import CERTIFICATE, Certificate
from nbprod.compiled.checking import CheckedRow, RowChecker
from nbprod.compiled.columns import Table
from nbprod.compiled.model import CompiledModel
from nbprod.compiled.parity import Parity
from nbprod.compiled.plan import Plan
from nbprod.domain.row_problem import RowProblem
from nbprod.domain.schema import Schema

__all__ = ["CompiledPredictor", "open_compiled"]


class CompiledPredictor:
    """Checks and predicts rows without pandas and scikit-learn.

    Parameters
    ----------
    model
        The compiled model.
    schema
        What it takes and gives.
    certificate
        Whether it may be used instead of the pipeline.
    """

    def __init__(self, model: CompiledModel, schema: Schema, certificate: Certificate) -> None:
        self.model = model
        self.schema = schema
        self.certificate = certificate
        self.parity = Parity(tolerance=certificate.tolerance or 1e-12)
        self.unseen: Counter[str] = Counter()  #: by field, values of rows from :meth:`predict_rows` never seen
        self._checker = RowChecker(schema)
        self._outputs = schema.outputs
        self._second = schema.probabilistic and len(schema.classes) == 2

    @property
    def usable(self) -> bool:
        """Whether the certificate was passed and no comparison in use has differed."""
        return self.uses(1)

    def uses(self, rows: int) -> bool:
        """Whether this many rows at once should go through the compiled model."""
        return self.certificate.uses_compiled(rows) and self.parity.holds

    def compare(self, expected: Iterable[Mapping[str, Any]], actual: Iterable[Mapping[str, Any]]) -> bool:
        """Note what the pipeline says of rows the compiled model has predicted; whether all of them agree."""
        agreed = [self.parity.compare(one, other) for one, other in zip(expected, actual, strict=True)]
        return all(agreed)  # after all of them are counted

    def check(self, row: Mapping[str, Any], number: int = 0) -> CheckedRow:
        """Check one row; ``number`` is its position for the records."""
        return self._checker.check(row, number)

    def predict(self, values: list[Any]) -> dict[str, Any]:
        """The outputs of one checked row, by the names of the schema.

        Raises
        ------
        SchemaError
            A category was never seen and the model refuses such.
        """
        found = self.model.predict_values(values)
        if self._second:
            return {"prediction": found[0], "probability": found[2]}
        return dict(zip(self._outputs, found, strict=True))

    def predict_rows(self, rows: Iterable[Mapping[str, Any]]) -> tuple[list[dict[str, Any] | None], list[RowProblem]]:
        """Check and predict rows one by one; one that cannot be taken gives ``None`` and its problems."""
        made: list[dict[str, Any] | None] = []
        problems: list[RowProblem] = []
        for number, row in enumerate(rows):
            checked = self._checker.check(row, number)
            self.unseen.update(checked.unseen)
            problems += checked.problems
            made.append(None if checked.problems else self.predict(checked.values))
        return made, problems

    def predict_columns(self, columns: Table) -> dict[str, np.ndarray]:
        """The outputs of checked columns (Arrow, pandas, numpy or lists), by the names of the schema.

        Raises
        ------
        SchemaError
            A column is missing or has another type, or a category the model refuses.
        """
        found = self.model.predict_columns(columns)
        if self._second:
            return {"prediction": found[0], "probability": found[2]}
        return dict(zip(self._outputs, found, strict=True))

    def __repr__(self) -> str:
        return f"<CompiledPredictor of {self.schema.target!r}: {self.certificate!r}>"

    def _repr_html_(self) -> str:
        return self.certificate._repr_html_()


def open_compiled(read: Callable[[str], bytes]) -> CompiledPredictor | None:
    """The predictor of a verified package; ``None`` where its pipeline has no compiled form.

    Parameters
    ----------
    read
        Gives the verified bytes of a file of the package, as :meth:`nbprod.packages.sealing.Sealed.read` does.

    Raises
    ------
    NotFoundError
        The package was made before there were compiled models.
    PackageError
        The compiled model is of a newer nbprod.
    """
    certificate = Certificate.from_json(read(CERTIFICATE))
    if not certificate.compiled:
        return None
    schema = Schema.from_json(read("schema.json").decode())
    return CompiledPredictor(CompiledModel(Plan.read(read)), schema, certificate)
