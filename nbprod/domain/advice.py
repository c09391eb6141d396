"""What a monitor concludes, and what to do about it."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum

from nbprod.domain.check import CheckOutcome, CheckResult

__all__ = ["LONGER", "SOURCE", "WAIT", "Verdict", "next_step"]

SOURCE = (
    "as the reference has it"  #: the rule of a check about missing values and types: the source's, not the world's
)
LONGER = "within what the reference swings by"  #: the rule of a check whose reference is too short to tell
WAIT = "needs "  #: begins the rule of a check that could not tell for lack of something


class Verdict(StrEnum):
    """What a monitor concludes."""

    HEALTHY = "healthy"  #: nothing significant and material
    WATCH = "watch"  #: significant but small
    ALARM = "alarm"  #: significant and material
    INCONCLUSIVE = "inconclusive"  #: too little data to say


def next_step(deployment: str, verdict: Verdict, checks: Sequence[CheckResult]) -> str:
    """One sentence: look at the data, retrain, wait, or nothing.

    Parameters
    ----------
    deployment
        Its name.
    verdict, checks
        Of the monitor.
    """
    failed = [check for check in checks if check.outcome is CheckOutcome.FAILED]
    worse = {check.name for check in failed} & {"performance", "estimated"}
    broken = [check.subject for check in failed if check.rule == SOURCE]
    moved = [check.subject for check in failed if check.name == "drift"]
    if broken:
        return (
            f"Look at where {_few(broken)} {'come' if len(broken) > 1 else 'comes'} from before anything else: values"
            f" are missing or of another type, which retraining would learn. `nbprod alerts list {deployment}`"
        )
    if worse == {"estimated"}:
        return (
            "Ask for outcomes of these predictions: the estimate rests on the model's own confidence."
            f" If they confirm it: `nbprod retraining start {deployment} --because REASON`"
        )
    if worse:
        return (
            f"Retrain, and let the gates compare: `nbprod retraining start {deployment} --because REASON`;"
            f" or say that somebody looks at it: `nbprod alerts list {deployment}`"
        )
    if moved:
        return (
            f"Find out why {_few(moved)} changed; in this window performance did not certainly fall too far."
            f" If the change stays: `nbprod retraining start {deployment} --because REASON`"
        )
    if failed:
        return f"Look at the alerts: `nbprod alerts list {deployment}`"
    doubtful = [check.rule for check in checks if check.outcome is CheckOutcome.INCONCLUSIVE]
    waits = dict.fromkeys(rule.removeprefix(WAIT) for rule in doubtful if rule.startswith(WAIT))
    if waits:
        return f"Wait for {' and '.join(waits)}, then look again."
    if verdict is Verdict.INCONCLUSIVE and LONGER in doubtful:
        return (
            "Nothing for now: the reference is too short to tell a change of these columns from their usual swings,"
            " so performance decides. A model trained on a longer stretch of time brings a longer reference."
        )
    if unlike := [
        check.subject for check in checks if check.name == "agreement" and check.outcome is not CheckOutcome.PASSED
    ]:
        return f"Do not rely on the estimate of {_few(unlike)} until a newer model is in use: outcomes contradict it."
    if verdict is Verdict.HEALTHY:
        return "Nothing to do."
    return "Look again with the next window."


def _few(names: Sequence[str]) -> str:
    more = f" and {len(names) - 3} more" if len(names) > 3 else ""
    return ", ".join(names[:3]) + more
