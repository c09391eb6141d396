"""Look at a table before anything is learned from it: what is wrong, and what gives the answer away.

The names load on first use, so that importing the package loads no numerical library.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

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

_HOMES = {
    "Validation": "nbprod.validation.validating",
    "check_alone": "nbprod.validation.leakage",
    "check_balance": "nbprod.validation.checks",
    "check_constants": "nbprod.validation.checks",
    "check_contradictions": "nbprod.validation.checks",
    "check_duplicates": "nbprod.validation.checks",
    "check_missing": "nbprod.validation.checks",
    "check_order": "nbprod.validation.checks",
    "check_overlap": "nbprod.validation.overlap",
    "check_sums": "nbprod.validation.leakage",
    "power_alone": "nbprod.validation.leakage",
    "schema_table": "nbprod.validation.tables",
    "validate": "nbprod.validation.validating",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)
