"""The page of one run: its report, its notebook to download, and its files, those that could act boxed."""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import Any
from urllib.parse import quote

from nbprod.disk import write_file
from nbprod.domain.check import CheckResult
from nbprod.domain.package import ModelPackage
from nbprod.domain.plain import plain
from nbprod.domain.run import Run
from nbprod.errors import NbprodError
from nbprod.notebook.journal import fold, read_events
from nbprod.pages.box import BOXED, boxed, unboxed
from nbprod.pages.formatting import size
from nbprod.pages.layout import Link, look
from nbprod.pages.run_report import ReportFinding, run_report
from nbprod.pages.scoring_form import MOST_BYTES
from nbprod.recording.reading import read_records
from nbprod.site.places import folder_name
from nbprod.site.scoring import form_of
from nbprod.site.writing import write

__all__ = ["build_run", "fingerprint", "report", "show_model"]

# What a browser shows as text, data or picture. HTML goes into a box; everything else stays in the run's folder.
HARMLESS = {".csv", ".gif", ".ipynb", ".jpeg", ".jpg", ".json", ".log", ".md", ".parquet", ".png", ".txt", ".webp"}
ACTIVE = {".htm", ".html"}
LARGEST_FILE = 32_000_000  # bytes; larger ones are named, not copied
MOST_FILES = 200
PART = re.compile(r"[0-9a-f]{64}\.[a-z]+")  # a large recorded value: part of the notebook, no file for readers


def report(
    run: Run,
    folder: Path,
    *,
    links: Sequence[Link] | None = None,
    pages: Mapping[str, str] | None = None,
    nav: Sequence[Link] = (),
    package: tuple[str, str] | None = None,
) -> str:
    """The report of a run from what is in its folder, whole or not.

    Parameters
    ----------
    run
        As the ledger has it.
    folder
        Its folder.
    links
        Its files; by default what can be linked inside the folder itself.
    pages, nav
        As for :func:`nbprod.pages.run_report.run_report`.
    package
        Folder and digest of the package that was built of the run: the report then has the form that asks its model,
        if it stays below a megabyte with it.
    """
    cells = fold(event for _, event in read_events(folder)).cells if (folder / "events.jsonl").is_file() else ()
    shown = _own_links(folder) if links is None else links
    notebook = _notebook(folder)
    checks, finding = _recorded(notebook, folder)
    form, said = form_of(*package) if package is not None else (None, "")
    make = partial(
        run_report, run, notebook, cells=cells, checks=checks, finding=finding, links=shown, pages=pages, nav=nav
    )
    page = make(form=form, scoring=said)
    weight = len(page.encode())
    if form is None or weight <= MOST_BYTES:
        return page
    return make(scoring=f"with it this report would have {weight / 1e6:.1f} MB")


def show_model(run: Run, folder: Path, package: ModelPackage) -> None:
    """Write the report of a run again, with the form that asks the model its package holds."""
    with suppress(OSError, NbprodError):  # the package is what was asked for, and the older report is still there
        write_file(folder / "report.html", report(run, folder, package=(package.folder, package.digest)))


def fingerprint(run: Run, folder: Path) -> str:
    """A digest of everything its page is made from; the same one means the page need not be made again."""
    files = [
        (name, status.st_size, status.st_mtime_ns)
        for name, path in _files(folder, ("notebook.ipynb", "events.jsonl"))
        if (status := path.stat())
    ]
    text = json.dumps([look(), plain(run), files], sort_keys=True)
    return sha256(text.encode()).hexdigest()[:32]


def build_run(
    run: Run, folder: Path, target: Path, *, pages: Mapping[str, str], nav: Sequence[Link], also: Sequence[Link] = ()
) -> int:
    """Write the page of a run with links to what belongs to it, and bring its files; return how many changed."""
    links = list(also)
    changed = 0
    notebook = folder / "notebook.ipynb"
    if notebook.is_file():
        changed += _copy(notebook, target / "notebook.ipynb")
        note = f"the executed notebook, {size(notebook.stat().st_size)}"
        links.append(Link(label="notebook.ipynb", href="notebook.ipynb", note=note))
    for name, path in _files(folder):
        weight = path.stat().st_size
        place = Path("files", *(folder_name(part) for part in Path(name).parts))
        suffix = path.suffix.lower()
        if weight > LARGEST_FILE or suffix not in HARMLESS | ACTIVE:
            links.append(Link(label=name, note=f"{size(weight)}, in the run's folder"))
        elif suffix in ACTIVE:
            place = place.with_name(f"{place.name.removesuffix(BOXED).removesuffix(suffix)}{BOXED}")
            up = "../" * (len(place.parts) - 1)
            html = path.read_text(encoding="utf-8", errors="replace")
            changed += write(target / place, boxed(unboxed(html), title=name, back=f"{up}index.html"))
            links.append(Link(label=name, href=quote(place.as_posix()), note=f"{size(weight)}, shown in a box"))
        else:
            changed += _copy(path, target / place)
            links.append(Link(label=name, href=quote(place.as_posix()), note=size(weight)))
    page = report(run, folder, links=links, pages=pages, nav=nav)
    return changed + write(target / "index.html", page)


def _own_links(folder: Path) -> list[Link]:
    links = []
    if (folder / "notebook.ipynb").is_file():  # not of a pruned run
        links.append(Link(label="notebook.ipynb", href="notebook.ipynb", note="the executed notebook"))
    for name, path in _files(folder):
        is_open = path.suffix.lower() in HARMLESS or name.endswith(BOXED)
        note = size(path.stat().st_size) + ("" if is_open else ", in files/")
        links.append(Link(label=name, href=f"files/{quote(name)}" if is_open else None, note=note))
    return links


def _files(folder: Path, also: Sequence[str] = ()) -> Iterator[tuple[str, Path]]:
    """Plain files below ``files/`` by their name, sorted; links are left out, they could lead anywhere."""
    root = folder / "files"
    found = []
    if root.is_dir() and not root.is_symlink():
        for inside, folders, names in os.walk(root):
            folders[:] = [name for name in folders if not Path(inside, name).is_symlink()]
            found += [Path(inside, name) for name in names if not PART.fullmatch(name)]
    named = sorted((path.relative_to(root).as_posix(), path) for path in found)
    for name, path in [*((name, folder / name) for name in also), *named[:MOST_FILES]]:
        if path.is_file() and not path.is_symlink():
            yield name, path


def _copy(source: Path, target: Path) -> bool:
    """Bring a file, whole; by size and time it is known to be there already."""
    there, here = source.stat(), target.stat() if target.is_file() else None
    if here is not None and (here.st_size, here.st_mtime_ns) == (there.st_size, there.st_mtime_ns):
        return False
    target.parent.mkdir(parents=True, exist_ok=True)
    temporary = target.with_name(f".{target.name}.tmp")
    try:
        shutil.copyfile(source, temporary)
        os.utime(temporary, ns=(there.st_mtime_ns, there.st_mtime_ns))
        temporary.replace(target)
    finally:
        temporary.unlink(missing_ok=True)
    return True


def _recorded(notebook: Any, folder: Path) -> tuple[Sequence[CheckResult], ReportFinding | None]:
    """The checks and the finding the notebook recorded; what cannot be read is still in the notebook."""
    if not notebook:
        return (), None
    try:
        records = read_records(notebook, folder)
        told = {name: records.get(name, "") for name in ("verdict", "sentence", "next_step")}
        is_finding = all(isinstance(one, str) for one in told.values()) and told["verdict"] and told["sentence"]
        return records.checks, ReportFinding(**told) if is_finding else None
    except (NbprodError, ArithmeticError, AttributeError, LookupError, TypeError, ValueError):
        return (), None


def _notebook(folder: Path) -> Any:
    try:
        content = json.loads((folder / "notebook.ipynb").read_bytes())
    except (OSError, ValueError):  # a run that has just begun, or a folder that was pruned
        return None
    return content if isinstance(content, dict) else None
