"""What a reader should know before a notebook becomes a job: order, state, secrets, paths, chance, people."""

from __future__ import annotations

import ast
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

from nbprod.adoption.reading import PREDEFINED, Code, Reading, called
from nbprod.adoption.secrets import SuspectedSecret
from nbprod.domain.fault import NotebookFault
from nbprod.notebook.canonical import HOME_PATH

__all__ = ["concerns"]

INSTALLS = re.compile(
    r"[%!]\s*(?:sudo\s+)?(?:python\S*\s+-m\s+)?(?:pip3?|conda|mamba|uv|poetry|apt(?:-get)?|brew|npm)\b"
)
WINDOWS = re.compile(r"%matplotlib\s+(?!inline\b|--list)\S+")
PERSONAL = re.compile(r"%(?:debug|pdb|edit|qtconsole|connect_info|history|pastebin|page|less|more|tb)\b")
ELSEWHERE = re.compile(r"%{1,2}(?:run|load|store|recall|macro|reset|reset_selective|pylab)\b")
SHELL = re.compile(r"!|%{1,2}(?:bash|sh|script|system|sx|cmd)\b|%(?:cd|mkdir|rm|cp|mv|ls)\b")
ASKS = {"input", "getpass", "breakpoint", "set_trace"}
SEEDERS = {"seed", "manual_seed", "set_seed", "seed_everything", "set_random_seed"}
NUMPY_CHANCE = re.compile(
    r"numpy\.random\.(?:rand|randn|randint|random|choice|shuffle|permutation|normal|uniform|sample|binomial|poisson)"
)
PYTHON_CHANCE = re.compile(r"random\.(?:random|randint|choice|choices|shuffle|sample|uniform|gauss|randrange)")
SKLEARN_CHANCE = re.compile(
    r"train_test_split|(?:Stratified)?ShuffleSplit|RandomForest\w+|ExtraTrees\w+|GradientBoosting\w+|MLP\w+|SGD\w+|"
    r"Randomized\w+|KMeans|MiniBatchKMeans|TSNE|IsolationForest|Bagging\w+|AdaBoost\w+|DecisionTree\w+"
)


def concerns(
    reading: Reading, counts: Sequence[int | None], metadata: Any, secrets: Sequence[SuspectedSecret]
) -> Iterator[NotebookFault]:
    """Every concern, in the order of the cells for each kind.

    The counts of the code cells and the notebook's metadata are those from before it was tidied. Values of secrets
    are not said.
    """
    kernel = metadata.get("kernelspec", {}).get("name", "")
    if not kernel:
        yield fault("-", "kernel", "it names no kernel; python3 is written into it")
    elif kernel != "python3":
        yield fault("-", "kernel", f"its kernel {kernel!r} becomes python3: install nbprod where its packages are")
    for cell in reading.cells:
        if cell.problem and not cell.source.lstrip().startswith("%%"):
            yield fault(cell.id, "syntax", f"the code is not Python ({cell.problem}); a job stops here")
    for cell_id, sentence in (*_order(reading, counts), *_hidden(reading)):
        yield fault(cell_id, "hidden-state", sentence)
    for one in secrets:
        hint = "take it out and declare a parameter such as NAME: Secret = Secret('env:NAME')"
        yield fault(one.cell, "secret", f"{one.what} looks like a secret; {hint}")
    hidden = [one.value for one in secrets]
    for cell in reading.cells:
        yield from (fault(cell.id, "path", sentence) for sentence in _paths(cell, hidden))
    for cell_id, sentence in _unseeded_draws(reading):
        yield fault(cell_id, "randomness", sentence)
    for cell in reading.cells:
        yield from (fault(cell.id, "interactive", sentence) for sentence in _ipython_lines(cell))
        if any(called(node) == "parse_args" and not node.args and not node.keywords for node in _calls(cell)):
            sentence = (
                "parse_args() reads the command line of the kernel, which is not the notebook's; give it a list"
            )
            yield fault(cell.id, "interactive", sentence)
        for name in dict.fromkeys(called(node) for node in cell.nodes):
            if name in ASKS:
                yield fault(cell.id, "interactive", f"{name}() waits for a person; in a job nobody answers")


def fault(cell: str, rule: str, sentence: str) -> NotebookFault:
    """A concern about a cell of the notebook that is read; its file is named later."""
    return NotebookFault(file="", cell=cell, rule=rule, sentence=sentence)


def _calls(cell: Code) -> Iterator[ast.Call]:
    return (node for node in cell.nodes if isinstance(node, ast.Call))


def _order(reading: Reading, counts: Sequence[int | None]) -> Iterator[tuple[str, str]]:
    """Whether the saved results came from running the cells once each, from the top."""
    last, at = 0, ""
    for cell, count in zip(reading.cells, counts, strict=True):
        if count is not None and count < last:
            yield (
                cell.id,
                f"it was executed as [{count}], before {at} [{last}] above it: results came from another order",
            )
        if count is not None:
            last, at = count, cell.id
    for count, times in Counter(count for count in counts if count is not None).items():
        if times > 1:
            ids = [cell.id for cell, one in zip(reading.cells, counts, strict=True) if one == count]
            yield (
                ids[-1],
                f"{times} cells carry the execution count [{count}]: {', '.join(ids)}; the kernel was restarted",
            )


def _hidden(reading: Reading) -> Iterator[tuple[str, str]]:
    """Names that are read before anything in the notebook gives them a value."""
    bound, reported = set(PREDEFINED), set()
    everything = {name for _, statement in reading.statements() for name in statement.binds}
    for cell in reading.cells:
        for statement in cell.statements:
            is_plain = isinstance(statement.node, ast.Assign | ast.AugAssign | ast.AnnAssign | ast.Expr)
            is_plain &= not any(isinstance(one, ast.NamedExpr) for one in ast.walk(statement.node))
            unbound = statement.reads - (frozenset() if is_plain else statement.binds)
            missing = sorted((unbound - bound) | (statement.later - bound - everything))
            for name in missing:
                if name in reported:
                    continue
                reported.add(name)
                below = [where.id for where, one in reading.bindings(name) if one is not statement]
                first = f"is first assigned below, in {below[0]}" if below else "is assigned nowhere before"
                yield cell.id, f"{name} is used here and {first}"
            bound |= statement.binds
            if statement.is_open:
                return  # from here on a name may have come from anywhere
        if not cell.is_readable:
            return


def _paths(cell: Code, hidden: Sequence[str]) -> Iterator[str]:
    for node in cell.nodes:
        text = node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else ""
        if HOME_PATH.match(text) and not any(value in text for value in hidden):
            yield f"{text!r} is a path of one machine"


def _unseeded_draws(reading: Reading) -> Iterator[tuple[str, str]]:
    """Calls that draw by chance with no seed before them."""
    seeded: set[str] = set()
    reported: set[tuple[str, str]] = set()
    for cell, call in reading.calls():
        path, name = reading.path_of(call.func), called(call)
        library = path.partition(".")[0]
        if name in SEEDERS:
            seeded.add(library)
            seeded |= {"numpy", "random"} if name in {"seed_everything", "set_random_seed", "set_seed"} else set()
            continue
        given = {one.arg for one in call.keywords}
        is_free = (
            (NUMPY_CHANCE.fullmatch(path) and "numpy" not in seeded)
            or (PYTHON_CHANCE.fullmatch(path) and "random" not in seeded)
            or (path == "numpy.random.default_rng" and not call.args and "seed" not in given)
            or (library == "torch" and name in {"rand", "randn", "randint", "randperm"} and "torch" not in seeded)
            or (_draws(path, name, library) and not {"random_state", None} & given and "numpy" not in seeded)
        )
        if is_free and (cell.id, name) not in reported:
            reported.add((cell.id, name))
            yield cell.id, f"{name} draws by chance without a seed: two runs differ"


def _draws(path: str, name: str, library: str) -> bool:
    return bool(library == "sklearn" and SKLEARN_CHANCE.fullmatch(path.rpartition(".")[2])) or (
        name == "sample" and path.count(".") == 1
    )


def _ipython_lines(cell: Code) -> Iterator[str]:
    """IPython's own lines that do nothing good in a job; those that work there are not mentioned."""
    for line in cell.ipython_lines:
        word = line.lstrip().split()[0] if line.split() else ""
        command = line[line.find("!") :] if "=" in line and "!" in line and not line.startswith(("!", "%")) else line
        if INSTALLS.match(command):
            yield f"{word} … installs packages while the job runs; name them in the environment instead"
        elif WINDOWS.match(line):
            yield f"{line} needs a window; %matplotlib inline draws the same into the notebook"
        elif PERSONAL.match(line):
            yield f"{word} is for a person at the keyboard"
        elif ELSEWHERE.match(line):
            yield f"{word} brings in or clears names from outside the cells; a job starts with none of them"
        elif SHELL.match(command):
            yield f"{word} … runs a command that another machine may not have"
        elif line.rstrip().endswith("?"):
            yield "a line that asks for help (?) does nothing in a job"
    if cell.problem and cell.source.lstrip().startswith("%%") and not SHELL.match(cell.ipython_lines[0]):
        yield f"{cell.ipython_lines[0].split()[0]} cells are not read by adopt; see that a job has what they need"
