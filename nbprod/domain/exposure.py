"""How many of a deployment's requests a candidate was given while its rollout went on."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Exposure"]


@dataclass(frozen=True, kw_only=True)
class Exposure:
    """What a candidate could have harmed."""

    reached: int  #: requests that were the candidate's to answer
    requests: int  #: all of the deployment, from the rollout's start to its end

    @property
    def sentence(self) -> str:
        """In words, as a predicate: ``reached 57 of 1,204 requests``."""
        return f"reached {self.reached:,} of {self.requests:,} requests"

    def __repr__(self) -> str:
        return f"<Exposure: {self.sentence}>"
