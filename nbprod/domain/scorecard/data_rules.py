"""The seven tests of features and data, each a rule over the records."""

from __future__ import annotations

from nbprod.domain.scorecard.evidence import Evidence, Finding, Means

__all__ = [
    "feature_code_is_tested",
    "features_are_beneficial",
    "features_are_permitted",
    "features_are_worth_their_cost",
    "new_features_come_quickly",
    "privacy_is_controlled",
    "schema_is_captured",
]


def schema_is_captured(found: Evidence) -> Finding:
    """The package seals names, types, ranges and categories of its inputs, and checks every row against them."""
    if found.sealed is None or not found.sealed.inputs:
        return Finding(means=Means.NONE, sentence="No package with a schema of its inputs is in use.")
    return Finding(
        means=Means.AUTOMATED,
        sentence=f"The schema of {len(found.sealed.inputs)} inputs is sealed, and every row is checked against it.",
        evidence=(found.version, found.package),
        at=found.champion.registered_at if found.champion else None,
    )


def features_are_beneficial(found: Evidence) -> Finding:
    """Shuffling any input changes what the model answers."""
    shares = dict(found.sealed.importance) if found.sealed else {}
    if not shares:
        return Finding(means=Means.NONE, sentence="It is not known how much the model relies on each input.")
    idle = sorted(name for name, share in shares.items() if not share)
    if idle:
        return Finding(
            means=Means.NONE, sentence=f"The model does not need {', '.join(idle)}: leave out what changes no answer."
        )
    least = min(shares, key=lambda name: shares[name] or 0.0)
    return Finding(
        means=Means.AUTOMATED,
        sentence=f"The model relies on every input; least on {least}, {shares[least]:.1%}.",
        evidence=(found.package,),
        at=found.champion.registered_at if found.champion else None,
    )


def features_are_worth_their_cost(found: Evidence) -> Finding:
    """What an input costs is known to people alone."""
    del found
    return Finding(means=Means.NONE, sentence="Records do not say what each input costs.")


def features_are_permitted(found: Evidence) -> Finding:
    """Columns that must not be learned from are named, and the model has none of them."""
    if not found.private:
        return Finding(means=Means.NONE, sentence="No column is named as private, so nothing is held to a rule.")
    inputs = set(found.sealed.inputs) if found.sealed else set[str]()
    if used := sorted(inputs & set(found.private)):
        return Finding(means=Means.NONE, sentence=f"The model learns from {', '.join(used)}, named as private.")
    if found.sealed is None:
        return Finding(means=Means.NONE, sentence="No package is in use.")
    return Finding(
        means=Means.AUTOMATED,
        sentence=f"None of the {len(found.private)} private columns is an input.",
        evidence=(found.version,),
        at=found.champion.registered_at if found.champion else None,
    )


def privacy_is_controlled(found: Evidence) -> Finding:
    """Private columns never reach the tables, and what a unit left can be erased."""
    if found.private and found.deployments:
        return Finding(
            means=Means.AUTOMATED,
            sentence=f"{', '.join(found.private)} are left out of tables, samples and reports.",
            evidence=found.deployments,
        )
    if found.erasures:
        return Finding(
            means=Means.BY_HAND,
            sentence=f"Units were erased {len(found.erasures)} times; no column is named as private.",
            evidence=tuple(event.subject for event in found.erasures[:1]),
            at=found.erasures[0].at,
        )
    return Finding(means=Means.NONE, sentence="No column is named as private, and nothing was ever erased.")


def new_features_come_quickly(found: Evidence) -> Finding:
    """How long a new feature takes from idea to production begins outside the records."""
    del found
    return Finding(means=Means.NONE, sentence="Records do not say when the idea of a feature was born.")


def feature_code_is_tested(found: Evidence) -> Finding:
    """Golden rows went through the packaged preprocessing in a fresh process and gave the recorded values."""
    if found.champion is None or found.champion.blessed_at is None:
        return Finding(means=Means.NONE, sentence="No fresh process has run the golden rows through the package.")
    return Finding(
        means=Means.AUTOMATED,
        sentence="A fresh process ran the golden rows through the packaged features and got the recorded values.",
        evidence=(found.version, found.package),
        at=found.champion.blessed_at,
    )
