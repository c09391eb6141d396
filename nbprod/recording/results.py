"""``record``: keeps named results as outputs of the notebook, and shows them."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any

from nbprod.disk import write_file
from nbprod.domain.check import CheckResult
from nbprod.domain.markup import card
from nbprod.domain.numbers import number
from nbprod.domain.record import RECORD_TYPE
from nbprod.errors import DataError
from nbprod.recording.blobs import Blobs
from nbprod.recording.context import RunContext, current
from nbprod.recording.encoding import encode
from nbprod.recording.figures import draw, is_figure
from nbprod.visible import escape, visible

__all__ = ["publish", "record"]

FORMAT = 1  #: of the recorded JSON; a reader refuses a higher one
LARGEST_NODE = 2_000_000  # characters of one plain value inside a notebook
LONGEST_NAME = 200
PREVIEW_ROWS = 10
PREVIEW_COLUMNS = 12
HINT = (
    "Record numbers, texts, moments, None, lists and mappings of them, numpy arrays, data frames, "
    "matplotlib figures and checks."
)


@dataclass(frozen=True, kw_only=True)
class Display:
    """One output: the media types beside the recorded JSON."""

    nodes: list[dict[str, Any]]
    text: str
    html: str
    more: Mapping[str, str] = field(default_factory=dict)


def record(**results: Any) -> None:
    """Keep results under their names, exactly, and show them.

    Called again with a name, the later value counts. Run by hand, the results are only shown.

    Parameters
    ----------
    **results
        Numbers, texts, truth values, ``None``, moments, lists and mappings of them, numpy scalars and arrays,
        ``DataFrame`` and ``Series``, matplotlib figures, a ``CheckResult`` or a list of them. Tables above 256 kB
        become files of the run. Columns named private in the workspace are left out of tables.

    Raises
    ------
    DataError
        A value cannot be kept exactly; nothing of the call is kept then.
    StoreError
        A large value cannot be written.

    Examples
    --------
    >>> record(roc_auc=0.93, rows=1200)
    roc_auc = 0.93
    rows = 1,200
    """
    context = current()
    plain: list[tuple[str, Any, dict[str, Any]]] = []
    displays: list[Display] = []
    for name, value in results.items():
        _check_name(name)
        if is_figure(value):
            displays.append(_figure_display(name, value))
        elif _is_table(value):
            displays.append(_table_display(name, value, context))
        else:
            plain.append((name, value, {"name": name, "value": _encoded(name, value, context)}))
    if plain:
        rows = [(name, text) for name, value, _ in plain for text in [_one_line(value)]]
        displays.insert(
            0,
            Display(
                nodes=[node for _, _, node in plain],
                text="\n".join(f"{name} = {text}" for name, text in rows),
                html=card("Recorded", rows),
            ),
        )
    publish(displays)


def publish(displays: Iterable[Display]) -> None:
    """Show outputs in the notebook; outside of one, print them as text."""
    interpreter = sys.modules.get("IPython")
    shell = interpreter.get_ipython() if interpreter is not None else None
    for display in displays:
        if shell is None:
            sys.stdout.write(visible(display.text) + "\n")
            continue
        bundle = {
            RECORD_TYPE: {"format": FORMAT, "records": display.nodes},
            "text/plain": visible(display.text),
            **({"text/html": display.html} if display.html else {}),
            **display.more,
        }
        shell.display_pub.publish(data=bundle, metadata={})


def blobs_of(context: RunContext | None) -> Blobs:
    """Where large content of a run goes: into its files, named by digest; by hand, nowhere."""
    if context is None:
        return Blobs()

    def put(content: bytes, ending: str) -> str:
        digest = sha256(content).hexdigest()
        target = context.files / f"{digest}{ending}"
        if not target.exists():
            write_file(target, content)
        return digest

    return Blobs(put=put)


def _check_name(name: str) -> None:
    if not name.strip() or len(name) > LONGEST_NAME or not name.isprintable():
        raise DataError(
            f"{name[:40]!r} cannot be the name of a result", hint=f"Use 1 to {LONGEST_NAME} printable characters."
        )


def _encoded(name: str, value: Any, context: RunContext | None) -> Any:
    try:
        node = encode(value, blobs_of(context))
    except TypeError as error:
        raise DataError(f"{name} cannot be recorded: it is or holds {error}", hint=HINT) from error
    except (ValueError, OverflowError, NotImplementedError) as error:
        raise DataError(f"{name} cannot be recorded exactly: {error}", hint=HINT) from error
    if not isinstance(node, dict) or not {"base64", "sha256", "absent"} & node.keys():
        size = len(json.dumps(node))
        if size > LARGEST_NODE:
            raise DataError(
                f"{name} is too large for a notebook: {size:,} characters of JSON",
                hint="Record a numpy array or a data frame, which become a file of the run.",
            )
    return node


def _one_line(value: Any) -> str:
    """A value for people, in one line."""
    if isinstance(value, bool) or value is None:
        return str(value)
    if isinstance(value, CheckResult):
        return f"{value.outcome}: {value.sentence}"
    if isinstance(value, list | tuple) and value and all(isinstance(one, CheckResult) for one in value):
        return "; ".join(f"{one.name} {one.outcome}" for one in value)
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, float):
        return number(value)
    text = value if isinstance(value, str) else repr(value)
    text = " ".join(text.split())
    return text if len(text) <= 160 else f"{text[:159]}…"


def _is_table(value: Any) -> bool:
    pandas = sys.modules.get("pandas")
    return pandas is not None and isinstance(value, pandas.DataFrame | pandas.Series)


def _table_display(name: str, value: Any, context: RunContext | None) -> Display:
    private = sorted(context.private & set(map(str, _labels(value)))) if context else []
    if private:
        value = _without_private(name, value, private)
    node = {"name": name, "value": _encoded(name, value, context)}
    frame = value if hasattr(value, "columns") else value.to_frame()
    size = f"{len(frame):,} rows, {frame.shape[1]} columns"
    note = f"; left out as private: {', '.join(private)}" if private else ""
    preview = {"max_rows": PREVIEW_ROWS, "max_cols": PREVIEW_COLUMNS}
    html = frame.to_html(**preview, border=0, escape=True, show_dimensions=False, notebook=True)
    text = f"{name}: {size}{note}\n{frame.to_string(**preview, show_dimensions=False)}"
    return Display(
        nodes=[node], text=text, html=f"<p><strong>{escape(name)}</strong>: {escape(size + note)}</p>{html}"
    )


def _labels(value: Any) -> list[Any]:
    names = list(value.columns) if hasattr(value, "columns") else [value.name]
    return [*names, *value.index.names]


def _without_private(name: str, value: Any, private: list[str]) -> Any:
    """The table without its private columns; a private index becomes a plain count of rows."""
    levels = [level for level, label in enumerate(value.index.names) if str(label) in private]
    if not hasattr(value, "columns") and str(value.name) in private:
        raise DataError(
            f"{name} cannot be recorded: it holds the values of {value.name}, which [data] private names",
            hint="Record something computed from it instead.",
        )
    if levels:
        value = value.droplevel(levels) if len(levels) < value.index.nlevels else value.reset_index(drop=True)
    if hasattr(value, "columns"):
        value = value.loc[:, [str(label) not in private for label in value.columns]]
    return value


def _figure_display(name: str, value: Any) -> Display:
    figure = draw(name, value)
    node = {"type": "figure", "title": figure.title, "alt": figure.alt, "media_type": figure.media_type}
    return Display(
        nodes=[{"name": name, "value": node}],
        text=f"{name}: {figure.alt}",
        html="",  # the picture itself is richer, and every front end shows it
        more={figure.media_type: figure.content},
    )
