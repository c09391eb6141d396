"""Finds metrics and fitted estimators worth keeping, and the rows that belong to them where that is certain."""

from __future__ import annotations

import ast
import builtins
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from nbprod.adoption.edit import Edit, EditKind, NewCell, Replacement
from nbprod.adoption.modules import ESTIMATORS, module_edits
from nbprod.adoption.reading import Code, Reading, Statement, called
from nbprod.domain.fault import NotebookFault
from nbprod.formats.notebook_code import MODULE

__all__ = ["model_edits", "record_edits"]

_METRICS = """accuracy_score balanced_accuracy_score top_k_accuracy_score average_precision_score
brier_score_loss f1_score fbeta_score log_loss precision_score recall_score jaccard_score roc_auc_score
matthews_corrcoef cohen_kappa_score hamming_loss zero_one_loss explained_variance_score max_error
mean_absolute_error mean_squared_error root_mean_squared_error mean_squared_log_error
root_mean_squared_log_error median_absolute_error mean_absolute_percentage_error r2_score
d2_absolute_error_score mean_pinball_loss mean_tweedie_deviance ndcg_score silhouette_score davies_bouldin_score
calinski_harabasz_score adjusted_rand_score normalized_mutual_info_score"""
METRICS = frozenset(_METRICS.split())
AROUND = {"sqrt", "round", "float", "abs", "mean", "item"}  # what may be done to a metric before it is assigned
# Not models: they prepare columns and predict nothing.
_PREPARING = "preprocessing impute feature_extraction decomposition compose feature_selection manifold"
PREPARING = tuple(f"sklearn.{name}" for name in _PREPARING.split())
TEXTS = {"CountVectorizer", "TfidfVectorizer", "HashingVectorizer", "TfidfTransformer"}  # sparse rows, of no columns
OWN_CODE = {"FunctionTransformer"}  # holds a function of the notebook, which no other process has


def record_edits(reading: Reading) -> tuple[list[Edit], list[NotebookFault]]:
    """A ``record`` call behind the last metric of each cell, and the metrics that are only shown."""
    edits, faults = [], []
    recorded = {
        name
        for _, call in reading.calls()
        if called(call) in {"record", "save_model"}
        for keyword in call.keywords
        for name in (keyword.arg, getattr(keyword.value, "id", None))
        if name
    }
    used = Counter(recorded)
    for cell in reading.cells:
        if any(line.startswith("%%capture") for line in cell.ipython_lines):
            continue  # what is recorded is an output, which such a cell throws away
        found: list[tuple[str, Statement]] = []
        shown: list[str] = []
        for statement in cell.statements:
            node = statement.node
            target = node.targets[0] if isinstance(node, ast.Assign) and len(node.targets) == 1 else None
            if isinstance(target, ast.Name) and _is_metric(reading, node.value):  # type: ignore[attr-defined]
                found.append((target.id, statement))
            elif not isinstance(node, ast.FunctionDef | ast.ClassDef | ast.Assign):
                shown += [called(one) for one in ast.walk(node) if _is_metric_call(reading, one)]
        wanted = {name: statement for name, statement in found if name not in recorded}
        if wanted:
            edits.append(_record(cell, wanted, used))
        is_recording = any(called(node) == "record" for node in cell.nodes)
        if shown and not is_recording:
            names = ", ".join(dict.fromkeys(shown))
            sentence = f"{names} is computed here and not kept; nbprod.record(name=value) keeps a number with the run"
            faults.append(NotebookFault(file="", cell=cell.id, rule="metric", sentence=sentence))
    return edits, faults


def _record(cell: Code, wanted: dict[str, Statement], used: Counter[str]) -> Edit:
    """One call for all metrics of a cell, behind the last of them."""
    pairs = []
    for name in wanted:
        used[name] += 1
        pairs.append(f"{name}={name}" if used[name] == 1 else f"{name}_{used[name]}={name}")
    last = max((statement.node for statement in wanted.values()), key=lambda node: node.end_lineno or 0)
    _, end = cell.lines(last.lineno, last.end_lineno)
    text = f"nbprod.record({', '.join(pairs)})"
    change = Replacement(start=end, end=end, text=f"{text}\n" if cell.source[:end].endswith("\n") else f"\n{text}")
    names = ", ".join(wanted)
    return Edit(kind=EditKind.RECORD, cell=cell.id, sentence=f"keeps {names} with the run", replacements=(change,))


def _is_metric(reading: Reading, node: ast.expr) -> bool:
    """Whether an expression is a metric, or one that was rooted, rounded or scaled."""
    if isinstance(node, ast.BinOp):
        sides = (node.left, node.right)
        return any(_is_metric(reading, one) for one in sides) and all(
            isinstance(one, ast.Constant) or _is_metric(reading, one) for one in sides
        )
    if isinstance(node, ast.Call) and called(node) in AROUND:
        inner = [*node.args[:1], *([node.func.value] if isinstance(node.func, ast.Attribute) else [])]
        return any(_is_metric(reading, one) or called(one) == "cross_val_score" for one in inner)
    return _is_metric_call(reading, node)


def _is_metric_call(reading: Reading, node: ast.AST) -> bool:
    if not isinstance(node, ast.Call):
        return False
    if called(node) in METRICS:
        return not any(isinstance(one.node, ast.FunctionDef) for _, one in reading.bindings(called(node)))
    return called(node) == "score" and isinstance(node.func, ast.Attribute) and len(node.args) >= 2


@dataclass(frozen=True)
class _Fit:
    """One call of ``fit`` on the outermost level."""

    cell: Code
    number: int  #: of the statement, over the whole notebook
    model: str
    inputs: str
    target: str


@dataclass(frozen=True)
class _Rows:
    """Rows a model was not trained on, and where they are known."""

    inputs: str
    target: str
    cell: Code
    number: int


def model_edits(reading: Reading) -> tuple[list[Edit], list[NotebookFault]]:
    """A ``save_model`` call for every fitted estimator whose rows are certain; a warning for the others.

    The last one is kept as ``model``, of which a package is made; others under their own names.
    """
    if any(called(call) == "save_model" for _, call in reading.calls()):
        return [], []
    found: list[tuple[_Fit, _Rows]] = []
    faults: list[NotebookFault] = []
    fits = list(({fit.model: fit for fit in _fits(reading)}).values())
    for fit in sorted(fits, key=lambda one: one.number):
        rows = _judged(reading, fit) or _split(reading, fit)
        if why := _why_not(reading, fit) or ("" if rows else "no rows are held back that are certain to be its test"):
            sentence = (
                f"{fit.model} is fitted and not kept: {why}. "
                f"If it can be: nbprod.save_model({fit.model}, inputs=…, target=…) with rows it was not trained on"
            )
            faults.append(NotebookFault(file="", cell=fit.cell.id, rule="model", sentence=sentence))
            continue
        assert rows is not None
        found.append((fit, rows))
    return [_save(fit, rows, is_last=(fit, rows) == found[-1]) for fit, rows in found], faults


def _save(fit: _Fit, rows: _Rows, *, is_last: bool) -> Edit:
    """Keep an estimator: the last one as ``model``, any other under its own name."""
    name = "model" if is_last else fit.model.lower().strip("_") or "other"
    name = f"{name}-early" if name == "model" and not is_last else name
    named = "" if is_last else f', name="{name}"'
    source = f"nbprod.save_model({fit.model}, inputs={rows.inputs}, target={rows.target}{named})"
    behind = rows.cell if rows.number > fit.number else fit.cell
    return Edit(
        kind=EditKind.SAVE_MODEL,
        cell=behind.id,
        sentence=f"keeps {fit.model} with the run",
        new_cell=NewCell(id=f"save-{name.replace('_', '-')}", source=source),
    )


def _fits(reading: Reading) -> Iterator[_Fit]:
    for number, (cell, statement) in enumerate(reading.statements()):
        node = statement.node
        value = node.value if isinstance(node, ast.Expr | ast.Assign) else None
        if called(value) != "fit" or not isinstance(value, ast.Call) or not isinstance(value.func, ast.Attribute):  # type: ignore[arg-type]
            continue
        target = node.targets[0] if isinstance(node, ast.Assign) else value.func.value
        given = [*value.args, *(one.value for one in value.keywords if one.arg in {"X", "y"})]
        names = [_root(one) for one in given[:2]]
        if isinstance(target, ast.Name) and len(names) == 2 and all(names):
            yield _Fit(cell, number, target.id, names[0], names[1])


def _why_not(reading: Reading, fit: _Fit) -> str:
    """Why an estimator cannot be kept by nbprod as it is; empty where it can."""
    made = [statement.node for _, statement in reading.bindings(fit.model)]
    calls = [node for one in made for node in ast.walk(one) if isinstance(node, ast.Call)]
    paths = [reading.path_of(call.func) for call in calls]
    if any(path.startswith(PREPARING) for path in paths[:1]):
        return "it prepares columns and predicts nothing"
    if not any(path.startswith(ESTIMATORS) for path in paths):
        return "it is not known to be an estimator of scikit-learn, XGBoost, LightGBM or CatBoost"
    if own := next((called(call) for call in calls if called(call) in OWN_CODE and _is_stuck(reading, call)), ""):
        return f"it holds a {own}, whose function no other process can import"
    makers = [node for _, one in reading.statements() if fit.inputs in one.binds for node in ast.walk(one.node)]
    if any(called(node) in TEXTS for _, node in reading.calls()) and any(
        called(one).endswith("transform") for one in makers
    ):
        return "its inputs are texts turned into sparse columns outside of it; put both into one Pipeline"
    return ""


def _is_stuck(reading: Reading, call: ast.Call) -> bool:
    """Whether the function of a transformer is Python's own, or one that cannot move into a module."""
    given = [*call.args[:1], *(one.value for one in call.keywords if one.arg in {"func", "inverse_func"})]
    if any(reading.path_of(one).partition(".")[0] in dir(builtins) for one in given):
        return True
    _, faults = module_edits(reading, MODULE)
    return bool(faults)


def _judged(reading: Reading, fit: _Fit) -> _Rows | None:
    """The rows on which the notebook itself judges the estimator after fitting it."""
    predicted: dict[str, str] = {}
    for number, (cell, statement) in enumerate(reading.statements()):
        if number < fit.number:
            continue
        for node in ast.walk(statement.node):
            if not isinstance(node, ast.Call):
                continue
            if pair := _scored(node, fit, predicted):
                inputs, target = pair
                if inputs != fit.inputs and target != fit.target and statement.node.col_offset == 0:
                    return _Rows(inputs, target, cell, number)
        node = statement.node
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            of = _predicts(node.value, fit.model)
            predicted.pop(node.targets[0].id, None)
            if of:
                predicted[node.targets[0].id] = of
    return None


def _scored(node: ast.Call, fit: _Fit, predicted: dict[str, str]) -> tuple[str, str] | None:
    """Inputs and target of ``model.score(X, y)`` or ``metric(y, predictions of X)``, where all have names."""
    names = [_plain(one) for one in node.args[:2]]
    if len(names) < 2:
        return None
    if called(node) == "score" and isinstance(node.func, ast.Attribute) and _plain(node.func.value) == fit.model:
        return (names[0], names[1]) if all(names) else None
    if called(node) not in METRICS or not names[0]:
        return None
    inputs = predicted.get(names[1]) or _predicts(node.args[1], fit.model)
    return (inputs, names[0]) if inputs else None


def _predicts(node: ast.AST, model: str) -> str:
    """The inputs of ``model.predict(X)``, also where a column of probabilities is taken; else empty."""
    while isinstance(node, ast.Subscript):
        node = node.value
    if called(node) not in {"predict", "predict_proba", "decision_function"} or not isinstance(node, ast.Call):
        return ""
    is_of = isinstance(node.func, ast.Attribute) and _plain(node.func.value) == model and node.args
    return _plain(node.args[0]) if is_of else ""


def _split(reading: Reading, fit: _Fit) -> _Rows | None:
    """The other half of the split an estimator was fitted on."""
    for number, (cell, statement) in enumerate(reading.statements()):
        node = statement.node
        if not isinstance(node, ast.Assign) or called(node.value) != "train_test_split" or number > fit.number:
            continue
        target = node.targets[0]
        names = [_plain(one) for one in target.elts] if isinstance(target, ast.Tuple) else []
        if fit.inputs in names and fit.target in names and len(names) % 2 == 0:
            inputs, truth = (names.index(one) for one in (fit.inputs, fit.target))
            if inputs % 2 == truth % 2 == 0:
                return _Rows(names[inputs + 1], names[truth + 1], cell, number)
    return None


def _plain(node: ast.AST) -> str:
    return node.id if isinstance(node, ast.Name) else ""


def _root(node: ast.AST) -> str:
    """The name behind ``X_train``, ``y_train.values`` or ``y_train.ravel()``."""
    while isinstance(node, ast.Attribute | ast.Call | ast.Subscript):
        node = node.func if isinstance(node, ast.Call) else node.value
    return _plain(node)
