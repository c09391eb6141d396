"""The ledger of decisions and the files behind it: ``Store``, ``Session``, ``Files``.

Names are found on first use, because SQLAlchemy takes a quarter of a second to import.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from nbprod.lazy import on_first_use

if TYPE_CHECKING:
    from nbprod.store.files import Files
    from nbprod.store.ledger import Session, Store

__all__ = ["Files", "Session", "Store"]

__getattr__ = on_first_use(__name__)
