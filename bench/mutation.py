"""Breaks one rule of the code at a time and says which broken rules the fitting unit tests did not notice.

A rule is a comparison, a condition, a ``not``, an ``and``, a number, or the text or the members something is compared
with. Each is broken in the syntax tree of its module, in a process of its own that imports the broken module and runs
the tests of its room, then those that name the module. The files are not touched.

    python bench/mutation.py                       all modules below, 12 rules of each, drawn by seed
    python bench/mutation.py nbprod/gates.py --most 1000
"""

import argparse
import ast
import copy
import importlib.abc
import importlib.machinery
import importlib.util
import os
import random
import sys
import time
from collections import defaultdict
from pathlib import Path

ROOT = Path(__file__).parent.parent
TARGETS = [
    "nbprod/domain",
    "nbprod/gates.py",
    "nbprod/models",
    "nbprod/monitors/judging.py",
    "nbprod/statistics/verdict.py",
]
ROOMS = {
    "nbprod/domain/": ["tests/unit/domain"],
    "nbprod/domain/gate.py": ["tests/unit/domain/test_gate.py"],
    "nbprod/gates.py": ["tests/unit/test_gates.py"],
    "nbprod/models/": ["tests/unit/models"],
    "nbprod/monitors/judging.py": ["tests/unit/monitors/test_judging.py"],
    "nbprod/statistics/verdict.py": ["tests/unit/statistics/test_verdict.py"],
}
BROKEN_SELF = 99  #: the exit code of a process in which pytest itself did not run
SECONDS = 300  # a broken rule that makes tests hang is noticed too
OTHER = {
    ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt, ast.Eq: ast.NotEq, ast.NotEq: ast.Eq,
    ast.Is: ast.IsNot, ast.IsNot: ast.Is, ast.In: ast.NotIn, ast.NotIn: ast.In, ast.Add: ast.Sub, ast.Sub: ast.Add,
    ast.And: ast.Or, ast.Or: ast.And,
}  # fmt: skip


def are_numbers(node):
    """Whether a sum may be one of numbers: texts and lists are put together by the same sign."""
    sides = node.left, node.right
    return not any(
        isinstance(one, ast.JoinedStr | ast.List) or isinstance(getattr(one, "value", 0), str) for one in sides
    )


def variants(node):
    """Each way to break the rule of one node: a new node."""
    if isinstance(node, ast.Compare):
        for place, op in enumerate(node.ops):
            made = copy.deepcopy(node)
            made.ops[place] = OTHER[type(op)]()
            yield made
        for place, side in enumerate(node.comparators):
            if isinstance(side, ast.Constant) and isinstance(side.value, str) and len(side.value) > 1:
                made = copy.deepcopy(node)
                made.comparators[place].value = side.value[:1]
                yield made
        if isinstance(node.left, ast.Constant) and isinstance(node.left.value, str) and len(node.left.value) > 1:
            made = copy.deepcopy(node)
            made.left.value = node.left.value[:1]
            yield made
    elif isinstance(node, ast.BoolOp) or (
        isinstance(node, ast.BinOp) and type(node.op) in OTHER and are_numbers(node)
    ):
        made = copy.deepcopy(node)
        made.op = OTHER[type(node.op)]()
        yield made
    elif isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
        yield copy.deepcopy(node.operand)
        if not isinstance(node.operand, ast.Compare | ast.BoolOp | ast.Call):
            yield ast.Compare(copy.deepcopy(node.operand), [ast.Is()], [ast.Constant(None)])
    elif isinstance(node, ast.If | ast.IfExp) and not isinstance(node.test, ast.Compare | ast.BoolOp | ast.UnaryOp):
        made = copy.deepcopy(node)
        made.test = ast.UnaryOp(ast.Not(), made.test)
        yield made
    elif isinstance(node, ast.Set | ast.Tuple) and isinstance(getattr(node, "ctx", ast.Load()), ast.Load):
        if len(node.elts) > 1:
            made = copy.deepcopy(node)
            made.elts = made.elts[:-1]
            yield made
    elif isinstance(node, ast.Constant) and type(node.value) in {int, float}:
        yield ast.Constant(node.value + 1)
    elif isinstance(node, ast.Constant) and type(node.value) is bool:
        yield ast.Constant(not node.value)


def rules(path):
    """The ways to break a module: line, what it was, what it becomes, and where in the tree."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    skipped = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):  # annotations and decorators are no rules
            hints = [
                node.returns,
                *node.decorator_list,
                *(one.annotation for one in node.args.args + node.args.kwonlyargs),
            ]
        elif isinstance(node, ast.AnnAssign):
            hints = [node.annotation]
        elif isinstance(node, ast.ClassDef):
            hints = node.decorator_list
        elif isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            hints = [node]
        elif isinstance(node, ast.FormattedValue):
            hints = [node.format_spec]
        elif isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__all__":
            hints = [node]
        else:
            continue
        for hint in hints:
            skipped |= {id(part) for part in ast.walk(hint)} if hint is not None else set()
        if isinstance(node, ast.FunctionDef) and node.name in {"__repr__", "_repr_html_"}:
            skipped |= {id(part) for part in ast.walk(node)}  # how something is shown is no rule
    for number, node in enumerate(ast.walk(tree)):
        if id(node) not in skipped:
            for which, made in enumerate(variants(node)):
                said = ast.unparse(made.test if isinstance(made, ast.If) else made)
                was = ast.unparse(node.test if isinstance(node, ast.If) else node)
                yield {"path": path, "number": number, "which": which, "line": node.lineno, "was": was, "is": said}


def broken(rule):
    """The tree of the module with one rule broken; without a rule, as it is."""
    tree = ast.parse(rule["path"].read_text(encoding="utf-8"))
    if "number" not in rule:
        return tree
    for number, node in enumerate(ast.walk(tree)):
        if number == rule["number"]:
            made = list(variants(node))[rule["which"]]
            target = node

    class Swap(ast.NodeTransformer):
        def visit(self, one):
            return made if one is target else self.generic_visit(one)

    return ast.fix_missing_locations(Swap().visit(tree))


class Breaking(importlib.abc.MetaPathFinder):
    """Imports one module with its rule broken."""

    def __init__(self, rule):
        self.rule = rule
        parts = rule["path"].relative_to(ROOT).with_suffix("").parts
        self.name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)

    def find_spec(self, fullname, path, target=None):  # noqa: ARG002, D102 — the import system's interface
        if fullname != self.name:
            return None
        rule = self.rule

        class Loader(importlib.machinery.SourceFileLoader):
            def get_code(self, name):  # noqa: ARG002
                return compile(broken(rule), self.path, "exec", dont_inherit=True)

        place = str(rule["path"])
        return importlib.util.spec_from_file_location(
            fullname, place, loader=Loader(fullname, place),
            submodule_search_locations=[str(rule["path"].parent)] if rule["path"].name == "__init__.py" else None,
        )  # fmt: skip


def fitting(path):
    """Tests of the module's room, and the files that name it."""
    place = str(path.relative_to(ROOT))
    room = next((ROOMS[key] for key in sorted(ROOMS, key=len, reverse=True) if place.startswith(key)), [])
    name = place.removesuffix(".py").removesuffix("/__init__").replace("/", ".")
    naming = [
        str(test.relative_to(ROOT))
        for test in sorted((ROOT / "tests/unit").rglob("test_*.py"))
        if name in test.read_text(encoding="utf-8")
        and not any(str(test.relative_to(ROOT)).startswith(r) for r in room)
    ]
    return [tests for tests in (room, naming[:4]) if tests]


def started(rule):
    """A process that runs the fitting tests with the rule broken: it ends with 0 if none of them noticed."""
    child = os.fork()
    if child:
        return child
    code = BROKEN_SELF
    try:
        silence = os.open(os.devnull, os.O_WRONLY)
        os.dup2(silence, 1)
        os.dup2(silence, 2)
        os.setsid()
        sys.meta_path.insert(0, Breaking(rule))
        import pytest

        code = 0
        for tests in fitting(rule["path"]):
            code = BROKEN_SELF
            code = pytest.main(["-q", "-x", "-p", "no:cacheprovider", "-p", "no:xdist", *tests])
            if code:
                break
    finally:
        os._exit(int(code))


def noticed(chosen, jobs):
    """Whether the tests noticed, rule by rule."""
    waiting, running, done = list(enumerate(chosen)), {}, {}
    while waiting or running:
        while waiting and len(running) < jobs:
            number, rule = waiting.pop(0)
            running[started(rule)] = (number, time.monotonic())
        ended, status = os.waitpid(-1, os.WNOHANG)
        if ended in running:
            code = os.waitstatus_to_exitcode(status)
            if code == BROKEN_SELF:
                sys.exit("pytest could not be run")
            done[running.pop(ended)[0]] = code != 0
            continue
        for child, (_, since) in running.items():
            if time.monotonic() - since > SECONDS:
                os.killpg(child, 9)
        time.sleep(0.02)
    return [done[number] for number in range(len(chosen))]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("targets", nargs="*", default=TARGETS)
    parser.add_argument("--most", type=int, default=12, help="rules of each module")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--jobs", type=int, default=2)
    options = parser.parse_args()
    os.chdir(ROOT)
    sys.path.insert(0, str(ROOT))
    for library in ("pandas", "scipy.stats", "sqlalchemy"):  # loaded once, before the processes part
        importlib.import_module(library)
    modules = []
    for target in options.targets:
        place = (ROOT / target).resolve()
        modules += sorted(place.rglob("*.py")) if place.is_dir() else [place]
    if failing := [
        str(one.relative_to(ROOT))
        for one, fails in zip(modules, noticed([{"path": one} for one in modules], options.jobs), strict=True)
        if fails
    ]:
        sys.exit(f"these fail, or have no tests, with nothing broken: {', '.join(failing)}")
    chosen = []
    for module in modules:
        found = list(rules(module))
        chosen += sorted(
            random.Random(options.seed).sample(found, min(options.most, len(found))), key=lambda r: r["line"]
        )
    results = noticed(chosen, options.jobs)
    by_room = defaultdict(list)
    for rule, seen in zip(chosen, results, strict=True):
        place = rule["path"].relative_to(ROOT)
        by_room[str(place.parent) if place.parts[1] in {"domain", "models"} else str(place)].append(seen)
        if not seen:
            print(f"not noticed: {place}:{rule['line']}: {rule['was']}  →  {rule['is']}")
    print("\n| code | rules broken | noticed | score |\n| --- | ---: | ---: | ---: |")
    for room, seen in [*by_room.items(), ("all", results)]:
        print(f"| `{room}` | {len(seen)} | {sum(seen)} | {sum(seen) / max(len(seen), 1):.0%} |")


if __name__ == "__main__":
    main()
