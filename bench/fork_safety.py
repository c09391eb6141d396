"""Which libraries may be imported before a fork: each is imported, the process forked, and the library used there.

``python bench/fork_safety.py [--only NAME] [--timeout S]``, with the Python of an environment that has the libraries;
those it lacks are named. For each, one process imports and works, another one imports, forks (twice, as the warm
process does) and works in the grandchild; both must print the same in time. ``threads`` is how many threads the
import itself leaves, beside those of OpenBLAS, which starts its own anew in a fork.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import subprocess
import sys
import textwrap

#: By distribution: what is imported, and work that uses the threads, pools and files of the library.
LIBRARIES: dict[str, tuple[str, str]] = {
    "numpy": ("import numpy as np", "a = np.random.default_rng(0).normal(size=(600, 600)); print(round(float(np.linalg.svd(a @ a.T)[1][0]), 3))"),
    "scipy": ("import scipy.linalg, scipy.optimize, numpy as np", "print(round(scipy.optimize.minimize(lambda x: (x**2).sum(), np.ones(5)).fun, 6), scipy.linalg.det(np.eye(200)))"),
    "pandas": ("import pandas as pd", "print(pd.DataFrame({'a': range(10**5)}).assign(b=lambda f: f.a % 7).groupby('b').a.sum().tolist())"),
    "scikit-learn": ("import sklearn.ensemble, sklearn.datasets", "X, y = sklearn.datasets.make_classification(5000, random_state=0); print(sklearn.ensemble.HistGradientBoostingClassifier(random_state=0).fit(X, y).score(X, y), sklearn.ensemble.RandomForestClassifier(20, n_jobs=2, random_state=0).fit(X, y).score(X, y))"),
    "joblib": ("import joblib", "print(joblib.Parallel(2)(joblib.delayed(abs)(-i) for i in range(8)))"),
    "pyarrow": ("import pyarrow as pa, pyarrow.compute, pyarrow.parquet, pyarrow.dataset, io", "t = pa.table({'a': list(range(10**5)) * 4, 'b': ['x', 'y'] * 200000}); b = io.BytesIO(); pa.parquet.write_table(t, b); b.seek(0); print(pa.parquet.read_table(b, use_threads=True).group_by('b').aggregate([('a', 'sum')]).to_pydict())"),
    "polars": ("import polars as pl", "print(pl.DataFrame({'a': range(10**6)}).lazy().with_columns(b=pl.col('a') % 7).group_by('b').agg(pl.col('a').sum()).sort('b').collect().to_dict(as_series=False))"),
    "duckdb": ("import duckdb", "print(duckdb.sql('select sum(range) from range(5000000)').fetchall())"),
    "datafusion": ("import datafusion", "print(datafusion.SessionContext().sql('select sum(column1) as s from (values (1),(2),(3))').to_pydict())"),
    "deltalake": ("import deltalake, pyarrow as pa, tempfile", "d = tempfile.mkdtemp(); deltalake.write_deltalake(d, pa.table({'a': [1, 2]})); print(deltalake.DeltaTable(d).to_pyarrow_table().to_pydict())"),
    "matplotlib": ("import matplotlib; matplotlib.use('agg'); import matplotlib.pyplot as plt, io", "plt.plot([1, 2]); b = io.BytesIO(); plt.savefig(b); print(len(b.getvalue()) > 1000)"),
    "seaborn": ("import matplotlib; matplotlib.use('agg'); import seaborn as sns, io", "b = io.BytesIO(); sns.histplot([1, 2, 2, 3]).figure.savefig(b); print(len(b.getvalue()) > 1000)"),
    "plotly": ("import plotly.express as px", "print(len(px.line(x=[1, 2], y=[1, 2]).to_json()) > 100)"),
    "bokeh": ("from bokeh.plotting import figure; from bokeh.embed import file_html", "f = figure(); f.line([1, 2], [1, 2]); print(len(file_html(f)) > 100)"),
    "altair": ("import altair, pandas", "print(len(altair.Chart(pandas.DataFrame({'a': [1]})).mark_point().encode(x='a').to_json()) > 100)"),
    "statsmodels": ("import statsmodels.api as sm, numpy as np", "x = np.arange(50.0); print(round(float(sm.OLS(2 * x + 1, sm.add_constant(x)).fit().params[1]), 6))"),
    "numba": ("import numba, numpy as np", "f = numba.njit(parallel=True)(lambda a: sum_(a)) if False else None\n@numba.njit(parallel=True)\ndef g(a):\n    s = 0.0\n    for i in numba.prange(a.size): s += a[i]\n    return s\nprint(g(np.ones(10**5)))"),
    "numexpr": ("import numexpr, numpy as np", "a = np.ones(10**6); print(float(numexpr.evaluate('sum(a * 2 + 1)')))"),
    "xgboost": ("import xgboost, sklearn.datasets", "X, y = sklearn.datasets.make_classification(5000, random_state=0); print(xgboost.XGBClassifier(n_estimators=20, n_jobs=2).fit(X, y).score(X, y))"),
    "lightgbm": ("import lightgbm, sklearn.datasets", "X, y = sklearn.datasets.make_classification(5000, random_state=0); print(lightgbm.LGBMClassifier(n_estimators=20, n_jobs=2, verbose=-1).fit(X, y).score(X, y))"),
    "catboost": ("import catboost, sklearn.datasets", "X, y = sklearn.datasets.make_classification(5000, random_state=0); print(catboost.CatBoostClassifier(iterations=20, thread_count=2, verbose=0, allow_writing_files=False, random_seed=0).fit(X, y).score(X, y))"),
    "grpcio": ("import grpc\nfrom concurrent import futures", "class H(grpc.GenericRpcHandler):\n    def service(self, d): return grpc.unary_unary_rpc_method_handler(lambda r, c: r[::-1])\ns = grpc.server(futures.ThreadPoolExecutor(2), handlers=(H(),)); p = s.add_insecure_port('127.0.0.1:0'); s.start()\nprint(grpc.insecure_channel(f'127.0.0.1:{p}').unary_unary('/a/b')(b'abc', timeout=20)); s.stop(None)"),
    "tensorflow-cpu": ("import tensorflow as tf", "print(float(tf.reduce_sum(tf.matmul(tf.ones((300, 300)), tf.ones((300, 300))))), len(list(tf.data.Dataset.range(100).map(lambda x: x + 1, num_parallel_calls=2))))"),
    "keras": ("import keras, numpy as np", "m = keras.Sequential([keras.layers.Dense(1)]); m.compile('sgd', 'mse'); h = m.fit(np.ones((64, 3)), np.ones(64), verbose=0); print('loss' in h.history)"),
    "torch": ("import torch", "torch.manual_seed(0); a = torch.ones(400, 400, requires_grad=True); (a @ a).sum().backward(); print(float(a.grad.sum()), len(list(torch.utils.data.DataLoader(range(10), num_workers=2))))"),
    "jax": ("import jax, jax.numpy as jnp", "print(float(jax.jit(lambda a: (a @ a).sum())(jnp.ones((300, 300)))))"),
    "ray": ("import ray", "ray.init(num_cpus=1, include_dashboard=False, log_to_driver=False); print(ray.get(ray.remote(lambda: 42).remote())); ray.shutdown()"),
    "dask": ("import dask, dask.array, dask.dataframe", "print(int(dask.array.arange(10**6, chunks=10**5).sum().compute(scheduler='threads')), dask.compute(dask.delayed(abs)(-2), scheduler='processes'))"),
    "distributed": ("import distributed", "c = distributed.Client(n_workers=1, threads_per_worker=1, processes=False, dashboard_address=None); print(c.submit(abs, -2).result()); c.close()"),
    "onnxruntime": ("import onnxruntime", "print(onnxruntime.get_available_providers()[-1])"),
    "opencv-python-headless": ("import cv2, numpy as np", "print(int(cv2.GaussianBlur(np.ones((2000, 2000), np.uint8), (5, 5), 0).sum()))"),
    "h5py": ("import h5py, tempfile, numpy as np", "f = h5py.File(tempfile.mktemp(), 'w'); f['a'] = np.ones(10**5); print(f['a'][:].sum())"),
    "tables": ("import tables, tempfile, numpy as np", "f = tables.open_file(tempfile.mktemp(), 'w'); f.create_carray('/', 'a', obj=np.ones(10**5), filters=tables.Filters(5, 'blosc')); print(f.root.a[:].sum()); f.close()"),
    "zarr": ("import zarr, numpy as np, tempfile", "z = zarr.open(tempfile.mkdtemp(), mode='w', shape=(1000, 1000), chunks=(100, 100), dtype='f8'); z[:] = 1; print(float(np.asarray(z[:]).sum()))"),
    "xarray": ("import xarray, numpy as np", "print(float(xarray.DataArray(np.ones((9, 9)), dims=('a', 'b')).sum()))"),
    "shap": ("import shap, sklearn.ensemble, numpy as np", "X = np.arange(300.0).reshape(100, 3); m = sklearn.ensemble.RandomForestRegressor(5, random_state=0).fit(X, X[:, 0]); print(shap.TreeExplainer(m).shap_values(X).shape)"),
    "umap-learn": ("import umap, numpy as np", "print(umap.UMAP(n_neighbors=5, n_epochs=5, random_state=0).fit_transform(np.random.default_rng(0).normal(size=(60, 4))).shape)"),
    "optuna": ("import optuna", "optuna.logging.set_verbosity(30); s = optuna.create_study(sampler=optuna.samplers.RandomSampler(0)); s.optimize(lambda t: t.suggest_float('x', 0, 1), 5, n_jobs=2); print(len(s.trials))"),
    "mlflow": ("import mlflow, tempfile", "mlflow.set_tracking_uri('file://' + tempfile.mkdtemp())\nwith mlflow.start_run(): mlflow.log_metric('a', 1)\nprint('ok')"),
    "transformers": ("import transformers", "print(transformers.BertConfig().hidden_size)"),
    "tokenizers": ("import tokenizers", "t = tokenizers.Tokenizer(tokenizers.models.BPE()); t.train_from_iterator(['a b c'] * 1000); print(t.encode('a b').ids != [])"),
    "spacy": ("import spacy", "print([t.text for t in spacy.blank('en')('one two')])"),
    "nltk": ("import nltk", "print(nltk.edit_distance('a', 'b'))"),
    "gensim": ("import gensim", "print(gensim.models.Word2Vec([['a', 'b']] * 50, min_count=1, workers=2, seed=0).wv['a'].shape)"),
    "pymongo": ("import pymongo", "print(pymongo.MongoClient('127.0.0.1:1', serverSelectionTimeoutMS=300, connect=True).address if False else 'ok')"),
    "psycopg": ("import psycopg", "print(psycopg.conninfo.make_conninfo(host='a'))"),
    "sqlalchemy": ("import sqlalchemy as sa", "print(sa.create_engine('sqlite://').connect().execute(sa.text('select 1')).scalar())"),
    "boto3": ("import boto3", "print(boto3.client('s3', region_name='eu-west-1', aws_access_key_id='a', aws_secret_access_key='b').meta.region_name)"),
    "google-cloud-storage": ("import google.cloud.storage", "print(google.cloud.storage.Client.create_anonymous_client().project)"),
    "google-cloud-bigquery": ("import google.cloud.bigquery", "print(google.cloud.bigquery.SchemaField('a', 'STRING').name)"),
    "confluent-kafka": ("import confluent_kafka", "p = confluent_kafka.Producer({'bootstrap.servers': '127.0.0.1:1', 'log_level': 0}); print(p.flush(0.2))"),
    "redis": ("import redis", "print(redis.Redis().connection_pool is not None)"),
    "requests": ("import requests, http.server, threading", "s = http.server.HTTPServer(('127.0.0.1', 0), http.server.SimpleHTTPRequestHandler); s.RequestHandlerClass.log_message = lambda *a: None; threading.Thread(target=s.serve_forever, daemon=True).start(); print(requests.get(f'http://127.0.0.1:{s.server_port}/', timeout=9).status_code)"),
    "httpx": ("import httpx", "print(httpx.Client().headers['user-agent'].startswith('python-httpx'))"),
    "fsspec": ("import fsspec", "f = fsspec.filesystem('memory'); f.pipe('/a', b'1'); print(f.cat('/a'))"),
    "s3fs": ("import s3fs", "print(s3fs.S3FileSystem(anon=True).protocol)"),
    "gcsfs": ("import gcsfs", "print(gcsfs.GCSFileSystem(token='anon').protocol)"),
    "geopandas": ("import geopandas, shapely", "print(geopandas.GeoSeries([shapely.Point(0, 0)]).buffer(1).area.round(1).tolist())"),
    "rasterio": ("import rasterio.transform", "print(rasterio.transform.from_origin(0, 0, 1, 1).a)"),
    "netCDF4": ("import netCDF4", "print(netCDF4.Dataset('a', 'w', diskless=True).data_model)"),
    "fastparquet": ("import fastparquet, pandas as pd, tempfile", "p = tempfile.mktemp(); fastparquet.write(p, pd.DataFrame({'a': [1, 2]})); print(fastparquet.ParquetFile(p).to_pandas().a.sum())"),
    "faiss-cpu": ("import faiss, numpy as np", "i = faiss.IndexFlatL2(8); i.add(np.ones((5000, 8), 'f4')); print(i.search(np.ones((500, 8), 'f4'), 1)[0].sum())"),
    "hdbscan": ("import hdbscan, numpy as np", "print(hdbscan.HDBSCAN(core_dist_n_jobs=2).fit_predict(np.random.default_rng(0).normal(size=(200, 2))).shape)"),
    "scikit-image": ("import skimage.filters, numpy as np", "print(float(skimage.filters.gaussian(np.ones((99, 99))).sum().round(3)))"),
    "pillow": ("import PIL.Image", "print(PIL.Image.new('L', (99, 99)).resize((9, 9)).size)"),
    "cvxpy": ("import cvxpy as cp", "x = cp.Variable(); p = cp.Problem(cp.Minimize((x - 1) ** 2)); p.solve(); print(round(float(x.value), 3))"),
    "ortools": ("from ortools.sat.python import cp_model", "m = cp_model.CpModel(); x = m.new_int_var(0, 9, 'x'); m.maximize(x); s = cp_model.CpSolver(); s.parameters.num_workers = 4; s.solve(m); print(s.value(x))"),
    "sympy": ("import sympy", "print(sympy.integrate(sympy.Symbol('x')))"),
    "prophet": ("import prophet", "print(prophet.Prophet().growth)"),
    "pyspark": ("import pyspark.sql", "print(pyspark.sql.Row(a=1))"),
    "lancedb": ("import lancedb, tempfile", "t = lancedb.connect(tempfile.mkdtemp()).create_table('t', [{'vector': [1.0, 2.0], 'a': 1}]); print(t.count_rows())"),
    "chromadb": ("import chromadb", "c = chromadb.EphemeralClient().create_collection('a'); c.add(ids=['a'], embeddings=[[1.0, 2.0]]); print(c.count())"),
    "cupy-cuda12x": ("import cupy", "print(cupy.__name__)"),
    "ipywidgets": ("import ipywidgets", "print(ipywidgets.IntSlider().value)"),
    "fastapi": ("import fastapi", "print(fastapi.FastAPI().title)"),
    "evidently": ("import evidently, evidently.presets, pandas as pd", "f = pd.DataFrame({'a': range(100)}); print('metrics' in evidently.Report([evidently.presets.DataDriftPreset()]).run(f, f).dict())"),
    "openai": ("import openai", "print(openai.OpenAI(api_key='a').base_url.host)"),
    "modin": ("import modin", "print(modin.__name__)"),
}  # fmt: skip

FORKED = """
import os, sys, signal
{imports}
from pathlib import Path
names = [(task / 'comm').read_text().strip() for task in Path('/proc/self/task').iterdir()]
names = [name for name in names if name != 'jemalloc_bg_thd']
try:
    from threadpoolctl import threadpool_info
    blas = sum(one['num_threads'] - 1 for one in threadpool_info() if one['internal_api'] == 'openblas')
except ImportError:
    blas = 0
print('threads', len(names) - 1 - blas, file=sys.stderr, flush=True)
sys.stdout.flush()
for _ in range(2):
    if (pid := os.fork()):
        os._exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) & 0xff)
code = 1
try:
{work}
    code = 0
except BaseException as error:
    print(type(error).__name__, error)
sys.stdout.flush()
os.dup2(2, 1)
import atexit
atexit._run_exitfuncs()  # as the warm process's forks do
os._exit(code)
"""


def run(code: str, timeout: float) -> tuple[str, str]:
    """What some code printed, or how it ended; and what it said on standard error."""
    with subprocess.Popen(
        [sys.executable, "-W", "ignore", "-c", code],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as process:
        try:
            out, err = process.communicate(timeout=timeout)
        except subprocess.TimeoutExpired:
            import os
            import signal

            os.killpg(process.pid, signal.SIGKILL)
            return "HANGS", ""
    if process.returncode:
        return f"ends with {process.returncode}: {(out.strip() or err.strip()).splitlines()[-1:]}", err
    return out.strip(), err


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--only", default="")
    parser.add_argument("--timeout", type=float, default=120)
    chosen = parser.parse_args()
    print("| library | version | threads after import | after a fork |\n| --- | --- | --- | --- |")
    missing = []
    for name, (imports, work) in LIBRARIES.items():
        if chosen.only and name not in chosen.only.split(","):
            continue
        try:
            version = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            missing.append(name)
            continue
        cold, _ = run(f"{imports}\n{work}", chosen.timeout)
        forked, said = run(FORKED.format(imports=imports, work=textwrap.indent(work, "    ")), chosen.timeout)
        threads = next((line.split()[1] for line in said.splitlines() if line.startswith("threads ")), "?")
        told = "same" if forked == cold else f"{forked[:90]!r} instead of {cold[:90]!r}"
        if cold.startswith(("ends with", "HANGS")):
            told = f"(does not work unforked: {cold[:120]})"
        print(f"| {name} | {version} | {threads} | {told} |", flush=True)
    print(f"Not here: {', '.join(missing)}")


if __name__ == "__main__":
    main()
