"""Compiled models: a fitted pipeline as plain data, evaluated by numpy alone, and the proof that it is the same.

A package holds beside its pipeline the same model as lookups, weights and trees in arrays (:class:`Plan`), and a
certificate (:class:`Certificate`) of rows on which both were compared. Importing this room loads neither pandas nor
scikit-learn.

For a server or a batch job::

    predictor = open_compiled(sealed.read)      # of a verified folder: nbprod.packages.verify_folder(folder)
    predictor.usable                            # whether the certificate allows it for single rows
    checked = predictor.check(row, number)      # CheckedRow: .values, .problems, .unseen
    predictor.predict(checked.values)           # {"prediction": "UP", "probability": 0.73}
    predictor.predict_columns(columns)          # {"prediction": array, "probability": array}

``check`` answers with :class:`~nbprod.domain.row_problem.RowProblem` records and never with a value. A loaded package
has the same predictor as ``package.compiled`` and uses it in ``package.predict``; ``package.parity`` counts how often
the answers of both were compared in use, and how often they differed.
"""

from __future__ import annotations

from nbprod.compiled.checking import CheckedRow, RowChecker
from nbprod.compiled.model import CompiledModel
from nbprod.compiled.plan import Plan
from nbprod.compiled.predictor import CompiledPredictor, open_compiled

__all__ = ["CheckedRow", "CompiledModel", "CompiledPredictor", "Plan", "RowChecker", "open_compiled"]
