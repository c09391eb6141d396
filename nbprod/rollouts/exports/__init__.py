"""Files with which others who run the traffic obey the recorded verdict of a rollout."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime

from nbprod.domain.rollout_verdict import RolloutVerdict
from nbprod.rollouts.exports import argo, flagger, kserve
from nbprod.rollouts.exports.place import Place

__all__ = ["KINDS", "Place"]

#: By kind: the files, by name, for a verdict, a place and a moment.
KINDS: Mapping[str, Callable[[RolloutVerdict, Place, datetime], dict[str, str]]] = {
    "argo": argo.files,
    "flagger": flagger.files,
    "kserve": kserve.files,
}
