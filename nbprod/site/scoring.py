"""The pages that score: one for each version whose compiled model fits into a page, or the reason for none."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from pathlib import Path

from nbprod.domain.schema import Schema
from nbprod.errors import NbprodError
from nbprod.packages.sealing import verify_folder
from nbprod.pages.layout import look
from nbprod.pages.scoring_form import MOST_BYTES, ScoringForm, scoring_form, scoring_page
from nbprod.site.facts import Facts
from nbprod.site.places import SCORING, folder_name
from nbprod.site.writing import write

__all__ = ["Scoring", "build_scorings", "form_of", "scoring_of"]

GONE = "its package is not on this disk as it was sealed"
STAMPS = ".scored.json"  #: what the pages that are there were made from


@dataclass(frozen=True, kw_only=True)
class Scoring:
    """What a package gives: a page, or the reason why it has none."""

    page: str = ""
    reason: str = ""
    place: str = ""  #: of the page, from the site's root


def build_scorings(facts: Facts, output: Path) -> tuple[dict[str, Scoring], int]:
    """Write the page of each version; packages do not change, so one that is there is left as it is.

    Returns
    -------
    dict, int
        By version what it has, and how many files changed.
    """
    stamps = _stamps(output)
    made: dict[str, Scoring] = {}
    now_there: dict[str, dict[str, str]] = {}
    changed = 0
    for version in facts.versions:
        package = facts.packages.get(version.package)
        if package is None:
            continue
        place = f"models/{folder_name(version.model)}/{version.number}{SCORING}"
        stamp, known = f"{look()}-{version.package}", stamps.get(version.ref, {})
        if known.get("of") == stamp and (known["reason"] or (output / place).is_file()):
            found = Scoring(reason=known["reason"], place="" if known["reason"] else place)
        else:
            back = f"index.html#version-{version.number}"
            found = scoring_of(package.folder, version.package, title=version.ref, back=back)
            if found.page:
                changed += write(output / place, found.page)
                found = replace(found, place=place)
        made[version.ref] = found
        if found.reason != GONE:  # a package may come back
            now_there[version.ref] = {"of": stamp, "reason": found.reason}
    write(output / STAMPS, json.dumps(now_there, indent=0, sort_keys=True))
    return made, changed


def _stamps(output: Path) -> dict[str, dict[str, str]]:
    try:
        found = json.loads((output / STAMPS).read_bytes())
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def scoring_of(folder: str, digest: str, *, title: str, back: str) -> Scoring:
    """Make the page of one package.

    Parameters
    ----------
    folder
        The package, on this disk.
    digest
        What it must be.
    title
        Of the page: what the model is called.
    back
        Address of the page to go back to.
    """
    form, said = form_of(folder, digest)
    if form is None:
        return Scoring(reason=said)
    page = scoring_page(form, title=title, back=back, about=said)
    if len(page.encode()) > MOST_BYTES:
        return Scoring(reason=f"with it the page would have {len(page.encode()) / 1e6:.1f} MB")
    return Scoring(page=page)


def form_of(folder: str, digest: str) -> tuple[ScoringForm | None, str]:
    """The form of a package and a sentence about it, or none and why.

    Parameters
    ----------
    folder
        The package, on this disk.
    digest
        What it must be.
    """
    from nbprod.compiled.certificate import CERTIFICATE, Certificate  # delayed: numpy
    from nbprod.compiled.plan import EXAMPLES, Plan

    try:
        sealed = verify_folder(folder, digest)
        if CERTIFICATE not in sealed.files:
            return None, "it was packaged before models were compiled"
        certificate = Certificate.from_json(sealed.read(CERTIFICATE))
        if not certificate.passed:
            return None, f"it has no compiled model that is proven equal. {certificate.sentence}"
        if certificate.size_bytes > MOST_BYTES:  # in base64 it is larger still
            return None, f"its compiled model is too large for one: {certificate.size_bytes / 1e6:.1f} MB"
        schema = Schema.from_json(sealed.read("schema.json").decode())
        told = json.loads(sealed.read(EXAMPLES))
        plan = Plan.read(sealed.read).to_page()
    except (NbprodError, OSError, ValueError):
        return None, GONE
    form = scoring_form(schema, plan=plan, examples=told["rows"], usual=told["usual"])
    return form, f"{schema.task.capitalize()} of {schema.target}. {certificate.sentence}"
