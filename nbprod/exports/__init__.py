"""Files and servers with which a model version runs elsewhere: one file a target.

``docker`` writes a build context, ``kubernetes`` and ``kserve`` the manifests of its image, ``onnx`` the model itself
with a certificate of how near it comes, and ``mlflow`` writes runs, versions and aliases to an MLflow server. Nothing
here holds a secret, and every package is compared with its manifest before it is read.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from nbprod.exports.service import Exports

__all__ = ["Exports"]


def __getattr__(name: str) -> Any:
    if name != "Exports":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from nbprod.exports.service import Exports  # delayed: containers ask for parts of this room alone

    return Exports
