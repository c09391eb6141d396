"""The conversions to ONNX of ``SimpleImputer`` and ``OneHotEncoder``, which skl2onnx 1.20 gets wrong.

Of the imputer it leaves out the columns that ``add_indicator`` adds, and keeps those that were empty when it was
fitted: the model behind then reads other columns than it learned from, often without an error. It takes the encoder's
``infrequent_if_exist`` for a refusal of unseen categories, also where none is infrequent and they give zeros.
"""

from __future__ import annotations

from copy import copy
from typing import Any

import numpy as np
from skl2onnx.common.data_types import FloatTensorType, StringTensorType
from skl2onnx.operator_converters.common import concatenate_variables
from skl2onnx.operator_converters.imputer_op import convert_sklearn_imputer
from skl2onnx.operator_converters.one_hot_encoder import convert_sklearn_one_hot_encoder

from nbprod.errors import RefusedError

__all__ = ["convert_imputer", "convert_one_hot", "shape_of_imputed"]

FLOAT = 1  #: TensorProto.FLOAT


def shape_of_imputed(operator: Any) -> None:
    """Columns that are filled, then one for each column that was seen with missing values."""
    imputer = operator.raw_operator
    kind = StringTensorType if isinstance(operator.inputs[0].type, StringTensorType) else FloatTensorType
    operator.outputs[0].type = kind([None, len(_filled(imputer)) + len(_marked(imputer))])


def convert_imputer(scope: Any, operator: Any, container: Any) -> None:
    """Write the nodes of a numeric imputer; one of text is left to skl2onnx.

    Raises
    ------
    RefusedError
        Something else than NaN stands for a missing value, or marks are wanted of text.
    """
    imputer = operator.raw_operator
    if isinstance(operator.inputs[0].type, StringTensorType):
        if len(_marked(imputer)):
            raise RefusedError("a SimpleImputer of text marks what was missing (add_indicator=True)")
        convert_sklearn_imputer(scope, operator, container)
        return
    if not (isinstance(imputer.missing_values, float) and np.isnan(imputer.missing_values)):
        told = imputer.missing_values
        raise RefusedError(f"a SimpleImputer takes {told!r} for missing, and the imputer of ONNX NaN alone")
    given = concatenate_variables(scope, operator.inputs, container, FloatTensorType)
    kept = _chosen(scope, container, given, _filled(imputer))
    filled = scope.get_unique_variable_name("filled")
    statistics = np.asarray(imputer.statistics_, np.float64)[_filled(imputer)]
    container.add_node(
        "Imputer",
        [kept],
        [filled],
        op_domain="ai.onnx.ml",
        name=scope.get_unique_operator_name("Imputer"),
        imputed_value_floats=statistics.astype(np.float32),
        replaced_value_float=float("nan"),
    )
    parts = [filled]
    if len(_marked(imputer)):
        missing, marks = scope.get_unique_variable_name("missing"), scope.get_unique_variable_name("marks")
        container.add_node("IsNaN", [_chosen(scope, container, given, _marked(imputer))], [missing], op_version=13)
        container.add_node("Cast", [missing], [marks], to=FLOAT, op_version=13)
        parts.append(marks)
    container.add_node("Concat", parts, [operator.outputs[0].full_name], axis=1, op_version=13)


def convert_one_hot(scope: Any, operator: Any, container: Any) -> None:
    """Write the nodes of a one-hot encoder; an unseen category gives zeros wherever scikit-learn gives them."""
    encoder = operator.raw_operator
    is_lenient = encoder.handle_unknown in {"infrequent_if_exist", "warn"}
    if is_lenient and all(rare is None for rare in getattr(encoder, "infrequent_categories_", ())):
        operator.raw_operator = copy(encoder)
        operator.raw_operator.handle_unknown = "ignore"
    convert_sklearn_one_hot_encoder(scope, operator, container)


def _filled(imputer: Any) -> Any:
    """Numbers of the columns that come out: those that were empty do not, unless they are to be kept."""
    statistics = imputer.statistics_
    is_empty = np.array([isinstance(one, float) and np.isnan(one) for one in statistics], dtype=bool)
    return np.flatnonzero(~is_empty | imputer.keep_empty_features)


def _marked(imputer: Any) -> Any:
    return imputer.indicator_.features_ if imputer.add_indicator else np.array([], dtype=int)


def _chosen(scope: Any, container: Any, given: str, columns: Any) -> str:
    numbers, chosen = scope.get_unique_variable_name("columns"), scope.get_unique_variable_name("chosen")
    container.add_initializer(numbers, 7, [len(columns)], [int(one) for one in columns])  # 7: TensorProto.INT64
    container.add_node("Gather", [given, numbers], [chosen], axis=1, op_version=13)
    return chosen
