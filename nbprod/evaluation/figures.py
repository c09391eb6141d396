"""The pictures of the templates, in one plain style for light and dark pages, each with alternative text."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from nbprod.domain.numbers import number
from nbprod.pages.svg import BLUE, GREY, ORANGE
from nbprod.statistics.metrics import class_codes
from nbprod.statistics.predictions import Predictions

__all__ = ["bars", "behaviour", "calibration", "confusion", "distribution", "intervals", "learning", "residuals"]

COLOURS = (BLUE, ORANGE, GREY)
_STYLE: Any = {
    "figure.facecolor": "none",  # the page's own background, light or dark
    "axes.facecolor": "none",
    "font.family": "sans-serif",
    "font.size": 10,
    "text.color": GREY,
    "axes.edgecolor": GREY,
    "axes.labelcolor": GREY,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "xtick.color": GREY,
    "ytick.color": GREY,
    "legend.frameon": False,
}
_BINS = 10
_MOST_POINTS = 1500
_MOST_CLASSES = 12


def intervals(table: pd.DataFrame, name: str, *, title: str = "", zero: bool = False) -> Figure:
    """A point with its interval for each row of a table.

    Parameters
    ----------
    table
        Its index names the rows; columns ``name``, ``name_low`` and ``name_high``.
    name
        Of the column.
    title
        Above the drawing; by default the name.
    zero
        Mark 0, the line of "no difference".
    """
    shown = table.dropna(subset=[name]).iloc[::-1]

    def draw(axes: Any) -> None:
        for row, (_, line) in enumerate(shown.iterrows()):
            low, high = (line.get(f"{name}_{end}", np.nan) for end in ("low", "high"))
            axes.plot([low, high], [row, row], color=BLUE, linewidth=2)
            axes.plot([line[name]], [row], "o", color=BLUE)
        if zero:
            axes.axvline(0, color=GREY, linewidth=1, linestyle=":")
        axes.set_yticks(range(len(shown)), [str(each)[:40] for each in shown.index])
        axes.set_title(title or name, loc="left", fontsize=10)

    descriptions = [f"{index}: {number(line[name], 3)}" for index, line in shown.iloc[::-1].iterrows()]
    return _picture(
        draw, alt=f"{title or name}, with intervals. " + _sentence(descriptions), size=(7, 0.9 + 0.32 * len(shown))
    )


def learning(curve: pd.DataFrame, metric: str) -> Figure:
    """The metric on learned and on held-back rows against the number of rows learned from."""

    def draw(axes: Any) -> None:
        for column, colour, label in (("learned", GREY, "rows learned from"), ("held_back", BLUE, "held-back rows")):
            axes.plot(curve["rows"], curve[column], "o-", color=colour, label=label)
        axes.set_xlabel("rows learned from")
        axes.set_title(f"{metric} as more is learned from", loc="left", fontsize=10)
        axes.legend()

    descriptions = [
        f"{int(row)} rows: {number(value, 3)}" for row, value in zip(curve["rows"], curve["held_back"], strict=True)
    ]
    return _picture(draw, alt=f"Learning curve, {metric} on held-back rows. {_sentence(descriptions)}")


def calibration(truth: Any, models: Mapping[str, Predictions]) -> Figure:
    """How often the positive class happened against how probable a model called it, in tenths of the rows.

    Of more than two classes, the class called most probable: how often it was right against how sure the model was.
    """
    curves = {
        name: _calibration(truth, predictions)
        for name, predictions in models.items()
        if predictions.probabilities is not None
    }

    def draw(axes: Any) -> None:
        axes.plot([0, 1], [0, 1], color=GREY, linestyle=":", linewidth=1, label="as promised")
        for (name, (predicted, observed)), colour in zip(curves.items(), COLOURS, strict=False):
            axes.plot(predicted, observed, "o-", color=colour, label=name)
        axes.set_xlabel("probability the model gave")
        axes.set_ylabel("share that happened")
        axes.set_title("Does 70 % mean 70 %?", loc="left", fontsize=10)
        axes.legend()

    gaps = [
        f"{name}: off by {np.abs(predicted - real).mean():.1%} on average"
        for name, (predicted, real) in curves.items()
    ]
    return _picture(draw, alt=f"Calibration. {_sentence(gaps)}", size=(4.5, 4))


def residuals(truth: Any, models: Mapping[str, Predictions]) -> Figure:
    """Predicted against true numbers, and how far off the predictions are."""
    true = np.asarray(truth, dtype=np.float64)
    chosen = np.linspace(0, len(true) - 1, min(len(true), _MOST_POINTS)).astype(int)
    errors = {name: np.asarray(predictions.answers, dtype=np.float64) - true for name, predictions in models.items()}

    def draw(axes: Any) -> None:
        left, right = axes
        for (name, off), colour in zip(errors.items(), COLOURS, strict=False):
            left.plot(true[chosen], (true + off)[chosen], ".", color=colour, alpha=0.4, label=name, rasterized=True)
            right.hist(off, bins=40, histtype="step", color=colour, label=name)
        ends = [float(true.min()), float(true.max())]
        left.plot(ends, ends, color=GREY, linestyle=":", linewidth=1)
        left.set(xlabel="true", ylabel="predicted")
        left.legend()
        right.axvline(0, color=GREY, linestyle=":", linewidth=1)
        right.set(xlabel="predicted minus true", ylabel="rows")

    descriptions = [
        f"{name}: mean {number(off.mean(), 3)}, spread {number(off.std(), 3)}" for name, off in errors.items()
    ]
    return _picture(
        draw, alt=f"Residuals, predicted minus true. {_sentence(descriptions)}", size=(8.5, 3.6), panels=2
    )


def confusion(truth: Any, predictions: Predictions) -> Figure:
    """How many rows of each class were called what; the largest classes when there are many."""
    labels = pd.Series(np.asarray(truth)).value_counts().index[:_MOST_CLASSES].sort_values().tolist()
    rows, columns = class_codes(truth, labels), class_codes(predictions.answers, labels)
    counts = np.zeros((len(labels), len(labels)), dtype=int)
    both = (rows >= 0) & (columns >= 0)
    np.add.at(counts, (rows[both], columns[both]), 1)

    def draw(axes: Any) -> None:
        shares = counts / np.maximum(1, counts.sum(axis=1, keepdims=True))
        for (row, column), count in np.ndenumerate(counts):
            share = shares[row, column]
            # nothing between pale and strong: words in the middle would not be read on light and on dark pages
            strong = share > 0.4
            alpha = 0.7 + 0.3 * share if strong else 0.3 * share
            axes.add_patch(mpl.patches.Rectangle((column, row), 1, 1, facecolor=BLUE, alpha=alpha))
            label = f"{count:,}\n{share:.0%}"
            axes.text(column + 0.5, row + 0.5, label, ha="center", va="center", color="white" if strong else GREY)
        axes.set(xlim=(0, len(labels)), ylim=(len(labels), 0), xlabel="called", ylabel="truly")
        axes.set_xticks(np.arange(len(labels)) + 0.5, [str(each)[:14] for each in labels])
        axes.set_yticks(np.arange(len(labels)) + 0.5, [str(each)[:14] for each in labels])
        axes.set_title("Rows by true and by predicted class", loc="left", fontsize=10)

    right = [f"{label}: {counts[i, i]} of {counts[i].sum()} right" for i, label in enumerate(labels)]
    side = 1.8 + 0.7 * len(labels)
    return _picture(draw, alt=f"Confusion matrix. {_sentence(right)}", size=(side + 0.8, side))


def bars(values: pd.Series[Any], *, title: str) -> Figure:
    """A bar for each value, the first on top."""
    shown = values.iloc[::-1]

    def draw(axes: Any) -> None:
        axes.barh(range(len(shown)), shown.to_numpy(), color=BLUE, height=0.6)
        axes.set_yticks(range(len(shown)), [str(each)[:40] for each in shown.index])
        axes.set_title(title, loc="left", fontsize=10)

    descriptions = [f"{index}: {number(value, 3)}" for index, value in values.items()]
    return _picture(draw, alt=f"{title}. {_sentence(descriptions)}", size=(7, 0.8 + 0.3 * len(shown)))


def distribution(values: pd.Series[Any], *, title: str) -> Figure:
    """How often each value occurs: a bar for each word, a histogram of numbers."""
    present = values.dropna()
    if not pd.api.types.is_numeric_dtype(present.dtype) or present.nunique() <= _MOST_CLASSES:
        return bars(present.value_counts().iloc[:_MOST_CLASSES], title=title)
    numbers = present.to_numpy(dtype=np.float64)

    def draw(axes: Any) -> None:
        axes.hist(numbers, bins=40, color=BLUE)
        axes.set(xlabel=str(values.name), ylabel="rows")
        axes.set_title(title, loc="left", fontsize=10)

    quarters = ", ".join(number(each, 3) for each in np.quantile(numbers, [0, 0.25, 0.5, 0.75, 1]))
    return _picture(draw, alt=f"{title}. Least, quarters and most: {quarters}.")


def behaviour(task: str, truth: Any, models: Mapping[str, Predictions]) -> dict[str, Figure]:
    """The pictures that fit a task, by name: calibration and confusion of the first model, or residuals."""
    if task == "regression":
        return {"residuals": residuals(truth, models)}
    probable = {name: predictions for name, predictions in models.items() if predictions.probabilities is not None}
    drawn = {"calibration": calibration(truth, probable)} if probable else {}
    return {**drawn, "confusion": confusion(truth, next(iter(models.values())))}


def _calibration(truth: Any, predictions: Predictions) -> tuple[np.ndarray, np.ndarray]:
    assert predictions.probabilities is not None
    assert predictions.classes is not None
    codes = class_codes(truth, predictions.classes)
    if len(predictions.classes) == 2:
        predicted, observed = predictions.probabilities[:, 1], (codes == 1).astype(float)
    else:
        predicted, observed = (
            predictions.probabilities.max(axis=1),
            (codes == predictions.probabilities.argmax(axis=1)).astype(float),
        )
    parts = [part for part in np.array_split(np.argsort(predicted, kind="stable"), _BINS) if len(part)]
    return np.array([predicted[part].mean() for part in parts]), np.array([observed[part].mean() for part in parts])


def _picture(draw: Callable[[Any], None], *, alt: str, size: Sequence[float] = (6, 3.4), panels: int = 1) -> Figure:
    # a figure of its own, outside pyplot: nothing is shown twice and nothing stays open
    with mpl.rc_context(_STYLE):
        figure = Figure(figsize=(size[0], size[1]), layout="constrained")
        draw(figure.subplots(1, panels))
    figure.set_label(alt)  # what `nbprod.record` takes as the words for who cannot see the picture
    return figure


def _sentence(parts: Iterable[str]) -> str:
    listed = list(parts)
    more = f"; and {len(listed) - 8} more" if len(listed) > 8 else ""
    return "; ".join(listed[:8]) + more + "."
