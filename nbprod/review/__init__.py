"""People look at some predictions: which, who, what they said, and what that says about the model and about them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nbprod.lazy import on_first_use

if TYPE_CHECKING:
    from nbprod.review.report import ReviewReport
    from nbprod.review.service import Reviews

__all__ = ["ReviewReport", "Reviews"]

__getattr__ = on_first_use(__name__)
