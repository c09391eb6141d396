"""The nbprod that runs now as a wheel, so that a container holds the very code that wrote its context.

The format is the binary distribution format of PyPA, version 1.0: a zip of the package and of its ``.dist-info``
with a ``RECORD`` of SHA-256. It is made of the files that are installed, editable or not, and equal for equal files.
"""

from __future__ import annotations

import base64
import csv
import io
import zipfile
from hashlib import sha256
from importlib.metadata import distribution
from pathlib import Path

__all__ = ["wheel_of_nbprod"]

EPOCH = (1980, 1, 1, 0, 0, 0)  #: the earliest moment a zip can hold
WHEEL = "Wheel-Version: 1.0\nGenerator: nbprod\nRoot-Is-Purelib: true\nTag: py3-none-any\n"


def wheel_of_nbprod() -> tuple[str, bytes]:
    """Name and content of a wheel of the installed nbprod."""
    installed = distribution("nbprod")
    stem = f"nbprod-{installed.version}"
    root = Path(__file__).parents[1]
    files = {
        f"nbprod/{path.relative_to(root).as_posix()}": path.read_bytes()
        for path in sorted(root.rglob("*"))
        if path.is_file() and "__pycache__" not in path.parts and not path.name.startswith(".")
    }
    for name in ("METADATA", "entry_points.txt"):
        files[f"{stem}.dist-info/{name}"] = (installed.read_text(name) or "").encode()
    files[f"{stem}.dist-info/WHEEL"] = WHEEL.encode()
    files[f"{stem}.dist-info/RECORD"] = _record(files, f"{stem}.dist-info/RECORD")
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            entry = zipfile.ZipInfo(name, EPOCH)
            entry.external_attr = 0o644 << 16
            archive.writestr(entry, content, zipfile.ZIP_DEFLATED)
    return f"{stem}-py3-none-any.whl", made.getvalue()


def _record(files: dict[str, bytes], own: str) -> bytes:
    lines = io.StringIO()
    table = csv.writer(lines, lineterminator="\n")
    for name, content in files.items():
        digest = base64.urlsafe_b64encode(sha256(content).digest()).rstrip(b"=").decode()
        table.writerow([name, f"sha256={digest}", len(content)])
    table.writerow([own, "", ""])
    return lines.getvalue().encode()
