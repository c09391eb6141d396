"""How often rules of a rollout are wrong, and how long they take: ours beside the usual ones, on simulated traffic.

    python bench/rollout_statistics.py [--runs 2000] [--seed 1]

Traffic: 40,000 requests, looked at every 200. Rates, shares and delays are drawn at random for each run, so that no
rule is tuned to one of them; the fixed numbers of the table are ranges. A standard error stands behind each share.
"""

from __future__ import annotations

import argparse

import numpy as np
from scipy import stats

from nbprod.statistics import MeanStratum, mean_difference, paired_verdict
from nbprod.statistics.arm_means import ArmTotals
from nbprod.statistics.event_rates import log_evidence

LOOKS, PER_LOOK, ALPHA, MARGIN = 200, 200, 0.05, 1.25
BAR = -np.log(ALPHA)


def share_of(flags) -> str:
    value = np.mean(flags)
    return f"{100 * value:5.1f} % ± {100 * np.sqrt(max(value * (1 - value), 1e-4) / len(flags)):.1f}"


def traffic(rng, runs, shares, ratio=1.0, rates=None, base=(0.02, 0.10)):
    """Units and events of the candidate and of stable at each look, shape (runs, looks)."""
    shares = np.broadcast_to(shares, (runs, LOOKS))
    rate = rng.uniform(*base, (runs, 1)) * (np.ones((1, LOOKS)) if rates is None else rates)
    units = rng.binomial(PER_LOOK, shares)
    theirs = rng.binomial(units, np.minimum(rate * ratio, 1))
    others = rng.binomial(PER_LOOK - units, rate)
    return units, theirs, PER_LOOK - units, others


def ours(theirs, others, steps):
    """Evidence at each look, stratified by the step of the ramp: harm and not worse."""
    levels = sorted(set(steps))
    by_step = np.stack(
        [np.where(np.array(steps) == level, theirs + others, 0).cumsum(1) for level in levels], axis=-1
    )
    return log_evidence(theirs.cumsum(1), by_step, np.array(levels), margin=MARGIN)


def peeked_z(units, theirs, rest, others):
    n, m, a, b = units.cumsum(1), rest.cumsum(1), theirs.cumsum(1), others.cumsum(1)
    pooled = (a + b) / np.maximum(n + m, 1)
    spread = np.sqrt(pooled * (1 - pooled) * (1 / np.maximum(n, 1) + 1 / np.maximum(m, 1)))
    z = np.divide(a / np.maximum(n, 1) - b / np.maximum(m, 1), spread, out=np.zeros_like(spread), where=spread > 0)
    return (np.abs(z) > stats.norm.isf(0.025)).any(axis=1)


def threshold(units, theirs, rest, others, times=2.0, failures=3):
    """Argo-like: the window's rate above twice the baseline's, more than three times."""
    base = others.sum(axis=1, keepdims=True) / rest.sum(axis=1, keepdims=True)
    return ((theirs / np.maximum(units, 1) > times * base) & (units > 0)).sum(axis=1) > failures


def report(name, found) -> None:
    print(f"| {name} | " + " | ".join(found) + " |", flush=True)


def identical(rng, runs) -> None:
    print("\nIdentical models rolled back (promoted)\n")
    print(
        "| traffic | event-share evidence | peeked z | twice the baseline, 3 failures |\n| --- | ---: | ---: | ---: |"
    )
    ramp = np.repeat([0.01, 0.05, 0.25, 0.5], LOOKS // 4)
    moving = np.where(np.arange(LOOKS) >= 150, 3.0, 1.0)
    for name, shares, rates in (
        ("10 % canary", np.full(LOOKS, 0.1), None),
        ("50/50", np.full(LOOKS, 0.5), None),
        ("ramp 1, 5, 25, 50 %", ramp, None),
        ("the same, events three times as frequent in the last step", ramp, moving),
    ):
        counts = traffic(rng, runs, shares, rates=rates)
        harm, fine = ours(counts[1], counts[3], shares.tolist())
        rolled = harm.max(1) >= BAR
        promoted = np.where(fine.max(1) >= BAR, np.argmax(fine >= BAR, 1), LOOKS)
        first = np.where(rolled, np.argmax(harm >= BAR, 1), LOOKS + 1)
        report(
            name,
            [
                f"{share_of(rolled & (first <= promoted))} ({100 * np.mean(promoted < first):.0f} %)",
                share_of(peeked_z(*counts)),
                share_of(threshold(*counts)),
            ],
        )
    delayed(rng, runs)
    sticky(rng, min(runs, 1_000))


def delayed(rng, runs) -> None:
    """Outcomes come after days; the ramp rises meanwhile; looked at daily for a fortnight."""
    found, naive = [], []
    for _ in range(min(runs, 1_000)):
        days = np.repeat(np.arange(7), 3_000)
        share = np.array([0.01, 0.05, 0.05, 0.25, 0.25, 0.5, 0.5])[days]
        theirs = rng.random(len(days)) < share
        event_at = np.where(
            rng.random(len(days)) < rng.uniform(0.02, 0.1),
            days + rng.exponential(rng.uniform(1, 4), len(days)),
            np.inf,
        )
        harm, z = 0.0, False
        for today in range(1, 15):
            seen = event_at <= today
            n = np.bincount(days[seen], minlength=7)
            now = log_evidence(
                float((seen & theirs).sum()),
                n.astype(float),
                np.array([0.01, 0.05, 0.05, 0.25, 0.25, 0.5, 0.5]),
                margin=MARGIN,
            )[0]
            harm = max(harm, float(now))
            came = days < today
            a, b = seen[theirs & came].mean() if (theirs & came).any() else 0, seen[~theirs & came].mean()
            p = seen[came].mean()
            spread = np.sqrt(p * (1 - p) * (1 / max((theirs & came).sum(), 1) + 1 / (~theirs & came).sum()))
            z |= bool(spread > 0 and abs(a - b) / spread > 1.96)
        found.append(harm >= BAR)
        naive.append(z)
    report("outcomes days late, while the ramp rises", [share_of(found), share_of(naive), ""])


def sticky(rng, runs) -> None:
    """Users come back a hundred times and differ; the unit is the user."""
    found, naive = [], []
    for _ in range(runs):
        users, requests = 400, 40_000
        own = rng.beta(0.5, 9.5, users)
        theirs = rng.random(users) < 0.1
        who = rng.integers(0, users, requests)
        event = rng.random(requests) < own[who]
        arm = theirs[who]
        first = np.zeros(requests, bool)
        hit = np.flatnonzero(event)
        first[hit[np.unique(who[hit], return_index=True)[1]]] = True
        looks = slice(PER_LOOK - 1, None, PER_LOOK)
        harm = log_evidence(
            (first & arm).cumsum()[looks],
            first.cumsum()[looks][:, None].astype(float),
            np.array([0.1]),
            margin=MARGIN,
        )[0]
        by_request = log_evidence(
            (event & arm).cumsum()[looks],
            event.cumsum()[looks][:, None].astype(float),
            np.array([0.1]),
            margin=MARGIN,
        )[0]
        found.append(harm.max() >= BAR)
        naive.append(by_request.max() >= BAR)
    report(
        "users come back: first event of a user (by request instead)",
        [f"{share_of(found)} ({share_of(naive)})", "", ""],
    )


def worse(rng, runs) -> None:
    print("\nA candidate that is worse, ramp 1, 5, 25, 50 %\n")
    print(
        "| rate ratio | promoted | rolled back | candidate's requests before the roll back, median |\n| ---: | ---: | ---: | ---: |"
    )
    shares = np.repeat([0.01, 0.05, 0.25, 0.5], LOOKS // 4)
    for ratio in (1.25, 1.4, 2.0, 4.0):
        units, theirs, _, others = traffic(rng, runs, shares, ratio)
        harm, fine = ours(theirs, others, shares.tolist())
        first_harm = np.where((harm >= BAR).any(1), np.argmax(harm >= BAR, 1), LOOKS)
        first_fine = np.where((fine >= BAR).any(1), np.argmax(fine >= BAR, 1), LOOKS)
        rolled = first_harm <= np.minimum(first_fine, LOOKS - 1)
        exposed = units.cumsum(1)[np.arange(runs), np.minimum(first_harm, LOOKS - 1)]
        print(
            f"| {ratio} | {share_of(first_fine < first_harm)} | {share_of(rolled)} | "
            f"{np.median(exposed[rolled]) if rolled.any() else float('nan'):,.0f} |",
            flush=True,
        )
    exposed = []
    for _ in range(min(runs, 500)):  # request by request, as the router sees it
        share, rate = 0.1, rng.uniform(0.03, 0.08)
        arm = rng.random(30_000) < share
        event = rng.random(30_000) < np.where(arm, 4 * rate, rate)
        at = np.flatnonzero(event)
        harm = log_evidence(
            (arm & event).cumsum()[at],
            np.arange(1, len(at) + 1)[:, None].astype(float),
            np.array([share]),
            margin=MARGIN,
        )[0]
        crossed = np.flatnonzero(harm >= BAR)
        exposed.append(arm[: at[crossed[0]] + 1].sum() if len(crossed) else arm.sum())
    print(
        f"\nRequests exposed before a fourfold error rate is rolled back, 10 % canary, looked at after each event: median {np.median(exposed):.0f}"
    )


def paired_and_unpaired(rng, runs) -> None:
    print("\nRequests to the same conclusion (better, or not worse by 0.01), median\n")
    print(
        "| accuracy | answered differently | paired, shadow | two arms, 50/50 | ratio |\n| --- | ---: | ---: | ---: | ---: |"
    )
    for before, after, apart in ((0.90, 0.92, 0.06), (0.90, 0.91, 0.04), (0.90, 0.95, 0.10), (0.80, 0.83, 0.10)):
        shadow, arms, most = [], [], 40_000
        grid = np.unique(np.geomspace(100, most, 60).astype(int))
        for _ in range(runs):
            kind = rng.random(most)
            better = kind < (apart + after - before) / 2
            other = ~better & (kind < apart)
            shared = (kind >= apart) & (rng.random(most) < (1 - before - (apart + after - before) / 2) / (1 - apart))
            stable, candidate = better | shared, other | shared
            shadow.append(
                next(
                    (n for n in grid if paired_verdict(stable[:n], candidate[:n], margin=0.01).decision == "promote"),
                    most,
                )
            )
            arm = rng.random(most) < 0.5
            right = np.where(arm, ~candidate, ~stable)
            taken = most
            for n in grid:
                sides = [right[:n][arm[:n] == side] for side in (False, True)]
                totals = [
                    ArmTotals(units=len(s), total=float(s.sum()), squares=float(s.sum()), nonzero=int(s.sum()))
                    for s in sides
                ]
                gap = mean_difference([MeanStratum(stable=totals[0], candidate=totals[1])])
                if gap.is_enough and gap.difference.low > -0.01:
                    taken = n
                    break
            arms.append(taken)
        print(
            f"| {before:.2f}, {after:.2f} | {apart:.0%} | {np.median(shadow):,.0f} | {np.median(arms):,.0f} | {np.median(shadow) / np.median(arms):.2f} |",
            flush=True,
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=2_000)
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    rng = np.random.default_rng(given.seed)
    identical(rng, given.runs)
    worse(rng, given.runs)
    paired_and_unpaired(rng, min(given.runs, 60))


if __name__ == "__main__":
    main()
