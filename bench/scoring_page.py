"""The page that scores, of the template's models on the shipped electricity data: its size, and how soon it answers.

Opens each page in Chromium from a file, and prints the time from the start of the navigation to the first answer, and
of one further answer with all its contributions; the best of some rounds.

    python bench/scoring_page.py [--rounds 5]
"""

from __future__ import annotations

import argparse
import os
import shutil
import tempfile
import warnings
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

from playwright.sync_api import sync_playwright

from nbprod import training
from nbprod.compiled.compiling import compile_model
from nbprod.datasets import read_frame
from nbprod.datasets.schema import infer_schema
from nbprod.pages.scoring_form import scoring_form, scoring_page
from nbprod.training.preprocessing import make_pipeline

CHROMIUM = os.environ.get("NBPROD_CHROMIUM") or shutil.which("chromium") or shutil.which("google-chrome")
FIRST = "() => performance.getEntriesByName('answered')[0].startTime"
AGAIN = """() => { const field = document.querySelector('.field input[type=number]');
  const start = performance.now();
  for (let k = 0; k < 20; k++) { field.value = String(Number(field.value) * 0.99); field.dispatchEvent(new Event('input')); }
  return (performance.now() - start) / 20; }"""


def page_of(name: str) -> str:
    rows = training.prepare(read_frame("electricity"), target="class", task="auto", time="auto", group=None, drop=[])
    model = make_pipeline(training.make_estimator(name, rows.task, seed=0), rows.features)
    model.fit(rows.features, rows.target)
    schema = infer_schema(
        rows.features,
        target="class",
        task="classification",
        classes=list(model.classes_),
        probabilistic=True,
        time=None,
        private=frozenset(),
    )
    examples = [
        {key: value.isoformat() if hasattr(value, "isoformat") else value for key, value in row.items()}
        for row in rows.features.head(3).to_dict("records")
    ]
    plan = compile_model(model, schema).to_page()
    return scoring_page(scoring_form(schema, plan=plan, examples=examples, usual=examples[1]), title=name)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    given = parser.parse_args()
    warnings.simplefilter("ignore")
    print("| page of | size | first answer | further answer |\n| --- | ---: | ---: | ---: |")
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"])
        for name in ("logreg", "hgb", "tree"):
            path = Path(folder, f"{name}.html")
            path.write_text(page_of(name), encoding="utf-8")
            first, again = [], []
            for _ in range(given.rounds):
                page = browser.new_page()
                page.goto(path.as_uri())
                first.append(page.evaluate(FIRST))
                again.append(page.evaluate(AGAIN))
                page.close()
            print(f"| {name} | {path.stat().st_size / 1e3:,.0f} kB | {min(first):.0f} ms | {min(again):.2f} ms |")
        browser.close()


if __name__ == "__main__":
    main()
