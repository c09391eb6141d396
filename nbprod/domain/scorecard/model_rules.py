"""The seven tests of model development, each a rule over the records."""

from __future__ import annotations

from itertools import combinations
from statistics import fmean

from nbprod.domain.check import CheckOutcome
from nbprod.domain.scorecard.evidence import Evidence, Finding, Means

__all__ = [
    "groups_are_treated_alike",
    "hyperparameters_are_tuned",
    "offline_meets_online",
    "simpler_is_not_better",
    "slices_are_good_enough",
    "specification_is_reviewed",
    "staleness_is_known",
]

LINEAR = ("logreg", "linear", "ridge")  #: estimators of the train template that nothing simpler is held against
FEWEST_TRIED = 3  #: settings that were compared
FEWEST_VERSIONS = 3  #: of which offline and online values are known
FEWEST_WINDOWS = 3  #: of one version, to see how it ages


def specification_is_reviewed(found: Evidence) -> Finding:
    """The notebook is in a commit without changes beside it, and somebody else approved what came of it."""
    run, version = found.trained, found.champion
    if run is None or version is None or not run.git or run.git.endswith("+"):
        return Finding(means=Means.NONE, sentence="The champion was trained from a notebook that is in no commit.")
    if version.decided_by is None:
        return Finding(means=Means.NONE, sentence="Nobody has approved the champion.")
    alone = version.decided_by == run.actor
    return Finding(
        means=Means.BY_HAND if alone else Means.AUTOMATED,
        sentence=f"Trained from commit {run.git[:12]}, approved by {version.decided_by}"
        + (", who also trained it." if alone else f", trained by {run.actor}."),
        evidence=(run.id, version.ref),
        at=version.decided_at,
    )


def offline_meets_online(found: Evidence) -> Finding:
    """Versions that were better on held-back rows were better in production too."""
    pairs: dict[str, list[tuple[float, float]]] = {}
    for version in found.versions:
        package = found.packages.get(version.package)
        for name, offline in (package.metrics if package else {}).items():
            online = [
                one.metrics[name] for one in found.reports if one.version == version.ref and name in one.metrics
            ]
            if online:
                pairs.setdefault(name, []).append((offline, fmean(online)))
    name, known = max(pairs.items(), key=lambda one: (len(one[1]), one[0]), default=("", []))
    if len(known) < FEWEST_VERSIONS:
        return Finding(
            means=Means.NONE,
            sentence=f"{len(known)} versions have an offline value and one from production; {FEWEST_VERSIONS} tell.",
        )
    signs = [(a[0] - b[0]) * (a[1] - b[1]) for a, b in combinations(known, 2)]
    agree, disagree = sum(sign > 0 for sign in signs), sum(sign < 0 for sign in signs)
    words = (
        f"Of {len(known)} versions, {agree} pairs are in the same order of {name} offline and online, {disagree} not."
    )
    newest = next((one for one in found.reports if name in one.metrics), None)
    return Finding(
        means=Means.AUTOMATED if agree > disagree else Means.NONE,
        sentence=words,
        evidence=(newest.run_id,) if newest else (),
        at=newest.created_at if newest else None,
    )


def hyperparameters_are_tuned(found: Evidence) -> Finding:
    """Several settings were tried with the same notebook on the same data."""
    run = found.trained
    if run is None:
        return Finding(means=Means.NONE, sentence="The champion's training is not known.")
    alike = [
        one
        for one in found.runs
        if one.succeeded and one.template_digest == run.template_digest and dict(one.data) == dict(run.data)
    ]
    tried = {repr(sorted(one.parameters.items(), key=lambda item: item[0])) for one in alike}
    if len(tried) < FEWEST_TRIED:
        return Finding(
            means=Means.NONE,
            sentence=f"{len(tried)} settings were tried on the champion's data; {FEWEST_TRIED} compare.",
        )
    return Finding(
        means=Means.AUTOMATED,
        sentence=f"{len(tried)} settings were tried on the champion's data.",
        evidence=tuple(one.id for one in alike[:5]),
        at=alike[0].ended_at,
    )


def staleness_is_known(found: Evidence) -> Finding:
    """One version was measured at several ages."""
    aged: dict[str, list[str]] = {}
    for one in found.reports:
        if one.version and any(check.name == "performance" and check.value is not None for check in one.checks):
            aged.setdefault(one.version, []).append(one.run_id)
    version, windows = max(aged.items(), key=lambda one: (len(one[1]), one[0]), default=("", []))
    if len(windows) < FEWEST_WINDOWS:
        return Finding(
            means=Means.NONE,
            sentence=f"No version was measured with outcomes in {FEWEST_WINDOWS} windows of its life.",
        )
    return Finding(
        means=found.means_of(windows[0]),
        sentence=f"{version} was measured with outcomes in {len(windows)} windows as it aged.",
        evidence=tuple(windows[:3]),
        at=next(one.created_at for one in found.reports if one.run_id == windows[0]),
    )


def simpler_is_not_better(found: Evidence) -> Finding:
    """A linear model was trained beside, on the same rows, and does worse."""
    one, run = found.simpler, found.trained
    if one is None or run is None:
        return Finding(means=Means.NONE, sentence="No simple model was trained beside the champion.")
    words = f"{one.metric} of {one.kept} is {one.value:.4g}, of a linear model {one.simple:.4g}."
    if one.kept in LINEAR:
        itself = f"The champion is a linear model itself: {one.kept}."
        return Finding(means=Means.AUTOMATED, sentence=itself, evidence=(run.id,), at=run.ended_at)
    if one.is_better:
        return Finding(means=Means.NONE, sentence=f"{words} The simple one does as well.", evidence=(run.id,))
    return Finding(means=Means.AUTOMATED, sentence=words, evidence=(run.id,), at=run.ended_at)


def slices_are_good_enough(found: Evidence) -> Finding:
    """Parts of the rows were held against the champion's bound."""
    for one in found.judged:
        check = next((check for check in one.evaluation.checks if check.name == "slices"), None)
        if check is not None:
            passed = check.outcome is CheckOutcome.PASSED
            return Finding(
                means=Means.AUTOMATED if passed else Means.NONE,
                sentence=check.sentence,
                evidence=(one.evaluation.run_id,),
                at=one.at,
            )
        if one.slices:
            return Finding(
                means=Means.BY_HAND,
                sentence=f"{one.slices} slices were shown; no bound says which loss is too much.",
                evidence=(one.evaluation.run_id,),
                at=one.at,
            )
    return Finding(means=Means.NONE, sentence="No evaluation of the champion looked into slices.")


def groups_are_treated_alike(found: Evidence) -> Finding:
    """Groups of protected columns were compared."""
    for one in found.judged:
        if one.groups:
            return Finding(
                means=found.means_of(one.evaluation.run_id),
                sentence=f"Groups of {', '.join(one.groups)} were compared, with intervals.",
                evidence=(one.evaluation.run_id,),
                at=one.at,
            )
    return Finding(means=Means.NONE, sentence="No evaluation of the champion compared protected groups.")
