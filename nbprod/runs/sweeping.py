"""Many runs of one notebook: combinations, several at a time, what is already done left alone."""

from __future__ import annotations

import itertools
import os
import random as randomness
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import replace
from typing import Any

from nbprod.domain.run import Run, RunStatus
from nbprod.domain.sweep import Member, Sweep
from nbprod.errors import NbprodError, ParameterError
from nbprod.runs.finalizing import ingredients
from nbprod.runs.keys import changed, run_key
from nbprod.runs.starting import RunLauncher

__all__ = ["combinations", "share_processors", "sweep", "values_of"]

MOST_MEMBERS = 10_000
THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


def values_of(text: str) -> list[str]:
    """The values a text stands for: ``a,b``, or the whole numbers of ``0:5`` and ``0:10:2`` (the end left out).

    Raises
    ------
    ParameterError
        A range that is empty or has no end.

    Examples
    --------
    >>> values_of("0:3"), values_of("l1,l2"), values_of("0.5")
    (['0', '1', '2'], ['l1', 'l2'], ['0.5'])
    """
    parts = text.split(":")
    if len(parts) in {2, 3} and all(part.lstrip("-").isdigit() for part in parts):
        numbers = [int(part) for part in parts]
        if (len(numbers) == 3 and numbers[2] == 0) or not range(*numbers):
            raise ParameterError(f"The range {text} has no numbers", hint="Write start:end or start:end:step.")
        return [str(number) for number in range(*numbers)]
    return text.split(",")


def combinations(
    grid: Mapping[str, Sequence[Any]], *, random: int | None = None, seed: int = 0
) -> list[dict[str, Any]]:
    """Every combination of the values, or some of them drawn without repetition.

    Raises
    ------
    ParameterError
        There are more than ten thousand.
    """
    total = 1
    for values in grid.values():
        total *= len(values)
    wanted = total if random is None else min(random, total)
    if wanted > MOST_MEMBERS:
        raise ParameterError(f"The sweep has {wanted:,} members", hint="Draw some of them with random (--random N).")
    names = list(grid)
    if random is None:
        return [dict(zip(names, values, strict=True)) for values in itertools.product(*grid.values())]
    drawn = randomness.Random(seed).sample(range(total), wanted)  # noqa: S311 — which members, not a secret
    found = []
    for number in drawn:
        combination = {}
        for name in names:
            number, at = divmod(number, len(grid[name]))  # noqa: PLW2901 — the digits of a mixed base
            combination[name] = grid[name][at]
        found.append(combination)
    return found


def share_processors(count: int, jobs: int | None) -> tuple[int, dict[str, str]]:
    """How many of some kernels work at once, and the environment in which they share the processors.

    Without a limit each would start as many threads as there are processors.
    """
    processors = os.cpu_count() or 1
    at_once = max(1, min(jobs or processors, count or 1))
    share = str(max(1, processors // at_once))
    return at_once, {name: share for name in THREADS if name not in os.environ} if at_once > 1 else {}


def sweep(
    runs: RunLauncher,
    template: str,
    members: Sequence[Mapping[str, Any]],
    *,
    jobs: int | None = None,
    again: bool = False,
    caused_by: str | None = None,
    from_text: bool = False,
    timeout_s: float | None = None,
    on_update: Callable[[int, Member], None] | None = None,
) -> Sweep:
    """Execute a notebook for each member; one that fails does not stop the others.

    ``on_update`` is called with a member's number whenever something is known of it.

    Raises
    ------
    ParameterError
        A member's parameters are refused; nothing was started.
    """
    at_once, env = share_processors(len(members), jobs)
    planned = [runs.plan(template, values, from_text=from_text) for values in members]
    known = {} if again else succeeded_runs(runs, planned[0].source.name if planned else template)
    done: list[Member] = [Member(values=dict(values)) for values in members]

    def update(number: int, member: Member) -> None:
        done[number] = member
        if on_update:
            on_update(number, member)

    def execute_member(number: int) -> Member:
        member = done[number]
        try:
            # a failed member holds no kernel: nobody looks into dozens of them
            run = runs.execute(planned[number], caused_by=caused_by, env=env, timeout_s=timeout_s, hold_s=0)
        except NbprodError as error:
            return replace(member, error=error.message)
        return replace(member, run=run)

    waiting = []
    for number, plan in enumerate(planned):
        same = known.get(run_key(plan.ingredients))
        if same:
            update(number, replace(done[number], run=same, is_reused=True, reason=f"unchanged since {same.id}"))
        else:
            update(number, replace(done[number], reason=reason_to_execute(plan.ingredients, known.values())))
            waiting.append(number)
    with ThreadPoolExecutor(at_once, thread_name_prefix="nbprod-sweep") as pool:
        futures = {pool.submit(execute_member, number): number for number in waiting}
        try:
            for future in as_completed(futures):
                update(futures[future], future.result())
        except KeyboardInterrupt:
            pool.shutdown(wait=False, cancel_futures=True)
            for run in runs.list(status=RunStatus.RUNNING):
                if run.template == planned[0].source.name and (run.actor == runs.store.actor):
                    runs.ask_to_stop(run)
            raise
    return Sweep(template=template, members=tuple(done))


def succeeded_runs(runs: RunLauncher, template: str) -> dict[str, Run]:
    """The succeeded runs of a template by key; the newest of each."""
    found: dict[str, Run] = {}
    for run in runs.list(template=template, status=RunStatus.SUCCEEDED, limit=5000):
        found.setdefault(run_key(ingredients(run)), run)
    return found


def reason_to_execute(new: Mapping[str, Any], known: Any) -> str:
    """Why a member has to be executed: what changed since the run that is most like it."""
    same_values = [run for run in known if run.parameters == new["parameters"]]
    if not same_values:
        return "not run before"
    return "changed: " + "; ".join(changed(ingredients(same_values[0]), new).values())
