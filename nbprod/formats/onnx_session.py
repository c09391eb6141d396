"""An ONNX model behind the interface of scikit-learn; a copy in each package of such a model works without nbprod.

Inputs are one tensor a column (rows by one, or rows), or one tensor of all columns. Classes come from beside the
file, because ONNX keeps them inside of nodes, if at all.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

__all__ = ["ABOUT", "FILE", "OnnxModel"]

FILE = "model.onnx"
ABOUT = "onnx.json"
DTYPES = {
    "tensor(float)": "float32",
    "tensor(double)": "float64",
    "tensor(int64)": "int64",
    "tensor(int32)": "int32",
    "tensor(bool)": "bool",
    "tensor(string)": "object",
}


class OnnxModel:
    """A session of ONNX Runtime that predicts frames.

    Parameters
    ----------
    content
        The file.
    about
        ``columns``: the inputs' names in order; ``classes``: in the model's order, of numbers none;
        ``probabilities``: whether it gives those.
    """

    def __init__(self, content: bytes, about: Mapping[str, Any]) -> None:
        import onnxruntime  # delayed: an extra, and heavy

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        options.log_severity_level = 4  # what fails is raised; it would be printed as well
        self.content = content
        self.about = dict(about)
        self.feature_names_in_ = np.asarray(about["columns"], dtype=object)
        if about["classes"]:
            self.classes_ = np.asarray(about["classes"])
        self._session = onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])

    def predict(self, frame: Any) -> Any:
        """Labels, or numbers."""
        answers = np.asarray(self._run(frame)[0])
        answers = answers.reshape(len(frame), -1)[:, 0]
        return answers.astype(self.classes_.dtype) if self.about["classes"] else answers.astype(float)

    def predict_proba(self, frame: Any) -> Any:
        """Probabilities, rows by classes."""
        answers = self._run(frame)[1]
        if isinstance(answers, list):  # a mapping from class to probability for each row
            return np.array([[row[name] for name in self.about["classes"]] for row in answers], dtype=float)
        return np.asarray(answers, dtype=float).reshape(len(frame), -1)

    def _run(self, frame: Any) -> list[Any]:
        inputs = self._session.get_inputs()
        columns: Sequence[str] = self.about["columns"]
        if len(inputs) == 1 and (len(columns) > 1 or inputs[0].name != columns[0]):
            values = frame[list(columns)].to_numpy(dtype=DTYPES[inputs[0].type])
            return list(self._session.run(None, {inputs[0].name: values}))
        given = {}
        for one in inputs:
            values = frame[one.name]
            if DTYPES[one.type] == "object":
                values = values.astype(object).where(values.notna(), "")
            array = values.to_numpy(dtype=DTYPES[one.type])
            given[one.name] = array.reshape(-1, 1) if len(one.shape) == 2 else array
        return list(self._session.run(None, given))


def open_files(files: Mapping[str, bytes]) -> OnnxModel:
    """The model of the files of a package, by name."""
    return OnnxModel(files[FILE], json.loads(files[ABOUT]))
