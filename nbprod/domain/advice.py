"""What a monitor concludes, and what to do about it."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum

from nbprod.domain.check import Cause, CheckOutcome, CheckResult, Need
from nbprod.domain.plain import listed

__all__ = ["Verdict", "next_step"]


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
    broken = [*dict.fromkeys(check.subject for check in failed if check.cause is Cause.SOURCE)]
    moved = [check.subject for check in failed if check.name == "drift"]
    if broken:
        return (
            f"First look at where {listed(broken, 3)} {'come' if len(broken) > 1 else 'comes'} from: values are"
            " missing, infinite or of another type, and a retrained model would learn the fault."
            f" `nbprod alerts list {deployment}`"
        )
    if worse == {"estimated"}:
        return (
            "Get outcomes for these predictions: the estimate rests on the model's own confidence."
            f" If they confirm the drop: `nbprod retraining start {deployment} --because REASON`"
        )
    if worse:
        return (
            f"Retrain, and let the gates compare: `nbprod retraining start {deployment} --because REASON`;"
            f" or acknowledge the alert while you look into it: `nbprod alerts list {deployment}`"
        )
    if moved:
        return (
            f"Find out why {listed(moved, 3)} changed; there is no proof that performance fell below its limit."
            f" If the change lasts: `nbprod retraining start {deployment} --because REASON`"
        )
    if ill := [check.subject for check in failed if check.name in {"health", "objective"}]:
        return (
            f"Look at the server and the machine it runs on ({listed(ill, 3)}): nothing speaks against the model."
            f" `nbprod alerts list {deployment}`"
        )
    if ill := [check.subject for check in failed if check.name == "jobs"]:
        return f"Look at the batch jobs ({listed(ill, 3)}): `nbprod runs list --template score`"
    if ill := [check.subject for check in failed if check.name == "kpi"]:
        return (
            f"Find out why {listed(ill, 3)} moved although nothing speaks against the model:"
            f" `nbprod alerts list {deployment}`"
        )
    if failed:
        return f"Look at the alerts: `nbprod alerts list {deployment}`"
    doubtful = [check for check in checks if check.outcome is CheckOutcome.INCONCLUSIVE]
    waits = {
        need: max(check.needed for check in doubtful if check.needs is need and check.needed)
        for need in (Need.PREDICTIONS, Need.OUTCOMES)
        if any(check.needs is need and check.needed for check in doubtful)
    }
    if waits:
        return f"Wait for {' and '.join(f'{count:,} more {need}' for need, count in waits.items())}, then look again."
    if verdict is Verdict.INCONCLUSIVE and any(check.needs is Need.REFERENCE for check in doubtful):
        return (
            "Nothing for now: these columns vary too much from week to week to tell a change with a reference this"
            " short, so go by performance. A model trained on a longer period brings a longer reference."
        )
    if unlike := [
        check.subject for check in checks if check.name == "agreement" and check.outcome is not CheckOutcome.PASSED
    ]:
        return (
            f"Do not rely on the estimate of {listed(unlike, 3)} until a newer model is in use:"
            " outcomes contradict it."
        )
    if verdict is Verdict.HEALTHY:
        return "Nothing to do."
    return "Look again with the next window."
