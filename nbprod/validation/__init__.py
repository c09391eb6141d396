"""Look at a table before anything is learned from it: what is wrong, and what gives the answer away.

The names load on first use, so that importing the package loads no numerical library.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from nbprod.lazy import on_first_use

if TYPE_CHECKING:
    from nbprod.validation.checks import (
        check_balance,
        check_constants,
        check_contradictions,
        check_duplicates,
        check_missing,
        check_order,
    )
    from nbprod.validation.leakage import check_alone, check_sums, power_alone
    from nbprod.validation.overlap import check_overlap
    from nbprod.validation.tables import schema_table
    from nbprod.validation.validating import Validation, validate

__all__ = [
    "Validation",
    "check_alone",
    "check_balance",
    "check_constants",
    "check_contradictions",
    "check_duplicates",
    "check_missing",
    "check_order",
    "check_overlap",
    "check_sums",
    "power_alone",
    "schema_table",
    "validate",
]

__getattr__ = on_first_use(__name__)
