"""Notebooks as data scientists leave them, none of them written for nbprod."""

from __future__ import annotations

from pathlib import Path

import nbformat
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

KERNELSPEC = {"name": "python3", "language": "python", "display_name": "Python 3 (ipykernel)"}


def stranger(*cells: str, counts: list[int | None] | None = None, **metadata: object) -> nbformat.NotebookNode:
    """A notebook of cells; a text that begins with # and a space, and has one line, is Markdown."""
    made = []
    for text in cells:
        is_text = text.startswith(("# ", "## ")) and "\n" not in text
        made.append(new_markdown_cell(text) if is_text else new_code_cell(text))
    code = [cell for cell in made if cell.cell_type == "code"]
    for cell, count in zip(code, counts or [None] * len(code), strict=True):
        cell.execution_count = count
        cell.outputs = [new_output("stream", text="left over\n")] if count else []
    return new_notebook(cells=made, metadata={"kernelspec": KERNELSPEC, **metadata})


def classification() -> nbformat.NotebookNode:
    """The usual first notebook: everything inline, run out of order, several models tried one after the other."""
    return stranger(
        "# Will the price be above its mean?",
        "import numpy as np\nimport pandas as pd\nimport matplotlib.pyplot as plt\n%matplotlib inline\n"
        "from sklearn.model_selection import train_test_split\nfrom sklearn.linear_model import LogisticRegression\n"
        "from sklearn.ensemble import RandomForestClassifier\nfrom sklearn.metrics import accuracy_score, roc_auc_score\n"
        "from sklearn.preprocessing import StandardScaler",
        "df = pd.read_csv('electricity.csv')\ndf.head()",
        "df.isnull().sum()",
        "## Features",
        "features = ['period', 'nswprice', 'nswdemand']\ntarget = 'class'\n\nX = df[features]\ny = df[target]",
        "test_size = 0.25   # held back\nX_train, X_test, y_train, y_test = train_test_split(\n"
        "    X, y, test_size=test_size, random_state=42)\nscaler = StandardScaler()\n"
        "X_train_s = scaler.fit_transform(X_train)\nX_test_s = scaler.transform(X_test)",
        "logreg = LogisticRegression(max_iter=500)\nlogreg.fit(X_train_s, y_train)\npred = logreg.predict(X_test_s)\n"
        "acc = accuracy_score(y_test, pred)\nprint('logreg', round(acc, 6))",
        "## Forest",
        "rf = RandomForestClassifier(n_estimators=20, max_depth=6, random_state=42)\nrf.fit(X_train, y_train)",
        "proba = rf.predict_proba(X_test)[:, 1]\nauc = roc_auc_score(y_test, proba)\nacc_rf = rf.score(X_test, y_test)\n"
        "print(f'forest {auc:.6f} {acc_rf:.6f}')",
        "best = 0\nfor name, model in [('logreg', logreg), ('rf', rf)]:\n"
        "    inputs = X_test_s if name == 'logreg' else X_test\n    best = max(best, model.score(inputs, y_test))\n"
        "print('best', round(best, 6))",
        counts=[1, 2, 3, 9, 10, 11, 7, 8, 8],
    )


def plots() -> nbformat.NotebookNode:
    """Looks at data, trains nothing."""
    return stranger(
        "%matplotlib inline\nimport pandas as pd\nimport matplotlib.pyplot as plt\nimport numpy as np",
        "np.random.seed(0)\nFIGSIZE = (8, 3)\nN_ROWS = 2000",
        "bikes = pd.read_csv('bike_sharing_hourly.csv', nrows=N_ROWS)\nbikes['when'] = pd.to_datetime(bikes['at'])",
        "by_hour = bikes.groupby('hr')['cnt'].mean()\nprint(by_hour.round(3).head().to_dict())",
        "title = 'Rides by hour'\nfig, ax = plt.subplots(figsize=FIGSIZE)\nby_hour.plot(ax=ax)\nax.set_title(title)",
        "noise = np.random.rand(3)\nprint(noise.round(6))\ncorr = bikes[['temp', 'hum', 'cnt']].corr()\ncorr",
        counts=[1, 2, 3, 4, 5, 6],
    )


def regression() -> nbformat.NotebookNode:
    """A script that became a notebook: constants in capitals, options of a parser, a settings class."""
    return stranger(
        "import argparse\nfrom math import sqrt\nimport pandas as pd\nfrom sklearn.ensemble import GradientBoostingRegressor\n"
        "from sklearn.metrics import mean_squared_error, r2_score",
        "# Settings\nDATA_PATH = 'bike_sharing_hourly.csv'\nTARGET = 'cnt'\nCUTOFF = 4000  # first row that is tested\n"
        "SEED = 7\nFEATURES = ['hr', 'temp', 'hum', 'workingday']",
        "parser = argparse.ArgumentParser()\nparser.add_argument('--n-estimators', type=int, default=30, help='trees')\n"
        "parser.add_argument('--lr', type=float, default=0.1)\nargs = parser.parse_args([])",
        "data = pd.read_csv(DATA_PATH).head(6000)\ntrain, test = data.iloc[:CUTOFF], data.iloc[CUTOFF:]\n"
        "X_train, y_train = train[FEATURES], train[TARGET]\nX_test, y_test = test[FEATURES], test[TARGET]",
        "model = GradientBoostingRegressor(n_estimators=args.n_estimators, learning_rate=args.lr, random_state=SEED)\n"
        "model.fit(X_train, y_train)\npredictions = model.predict(X_test)",
        "rmse = sqrt(mean_squared_error(y_test, predictions))\nr2 = r2_score(y_test, predictions)\n"
        "print(round(rmse, 6), round(r2, 6))",
        counts=[1, 2, 3, 4, 5, 6],
    )


def write(notebook: nbformat.NotebookNode, path: Path) -> Path:
    nbformat.write(notebook, path)
    return path
