"""The certificate of a compiled model: what it was compared on with its pipeline, what came out, and what follows."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field

from nbprod.domain.markup import card
from nbprod.errors import PackageError

__all__ = ["CERTIFICATE", "Certificate"]

CERTIFICATE = "compiled/certificate.json"  #: in a package
FORMAT = 1


@dataclass(frozen=True, kw_only=True)
class Certificate:
    """Whether a compiled model gives what its pipeline gives, and how fast both are."""

    compiled: bool  #: whether the pipeline has a compiled form
    passed: bool  #: whether it is used
    sentence: str  #: why, or why not
    rows: Mapping[str, int] = field(default_factory=dict)  #: compared rows: golden, reference, and made edges
    refused_alike: int = 0  #: of them, rows that both refuse
    largest_difference: float = 0.0  #: of probabilities and numbers, absolute
    column: str | None = None  #: where it is
    tolerance: float = 0.0  #: what was allowed where a number is about one
    label_flips: int = 0
    one_row_us: Mapping[str, float] = field(default_factory=dict)  #: by path: microseconds, checked and predicted
    many_rows_us: Mapping[str, float] = field(default_factory=dict)  #: by path: microseconds a row of a large table
    fast_up_to: int | None = None  #: rows at once up to which the compiled model is faster; none: any
    size_bytes: int = 0

    def uses_compiled(self, rows: int) -> bool:
        """Whether this many rows at once go through the compiled model."""
        return self.passed and (self.fast_up_to is None or rows <= self.fast_up_to)

    @property
    def facts(self) -> list[tuple[str, str]]:
        """What a card says, name and value."""
        if not self.compiled:
            return [("path", "pipeline"), ("why", self.sentence)]
        said = [("path", "compiled" if self.passed else "pipeline"), ("why", self.sentence)]
        said.append(("rows compared", ", ".join(f"{count:,} {kind}" for kind, count in self.rows.items() if count)))
        said.append(
            ("largest difference", f"{self.largest_difference:.3g}" + (f" in {self.column}" if self.column else ""))
        )
        said.append(("label flips", str(self.label_flips)))
        for label, times in (("one row", self.one_row_us), ("a row of many", self.many_rows_us)):
            if times:
                said.append((label, ", ".join(f"{path} {time:,.3g} µs" for path, time in times.items())))
        if self.passed and self.fast_up_to is not None:
            said.append(("more rows at once", f"from {self.fast_up_to + 1:,} on the pipeline is faster and is used"))
        return said

    def to_json(self) -> str:
        """Write as JSON that :meth:`from_json` reads back equal."""
        return json.dumps({"format": FORMAT, **asdict(self)}, indent=2, ensure_ascii=False, allow_nan=False) + "\n"

    @classmethod
    def from_json(cls, text: str | bytes) -> Certificate:
        """Read what :meth:`to_json` wrote.

        Raises
        ------
        PackageError
            It is no certificate, or one of a newer nbprod.
        """
        try:
            data = json.loads(text)
            if data.pop("format") != FORMAT:
                raise PackageError("The certificate has a later format", hint="Use a newer nbprod.")
            return cls(**data)
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise PackageError(f"This is no certificate of a compiled model: {error!r}") from error

    def __repr__(self) -> str:
        return f"<Certificate: {'compiled' if self.passed else 'pipeline'}; {self.sentence}>"

    def _repr_html_(self) -> str:
        return card("Compiled model", self.facts)
