"""``nbprod models export``: write a version so that it runs elsewhere."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from nbprod.cli.output import AsJson, emit, emit_one, put, say

if TYPE_CHECKING:
    from nbprod.exports import Exports
    from nbprod.exports.pods import Running

__all__ = ["app", "import_model"]

app = typer.Typer(help="Write a version for Docker, Kubernetes, KServe, MLflow or a device.", no_args_is_help=True)

Ref = Annotated[
    str, typer.Argument(metavar="VERSION", help="electricity/2, electricity@champion, or its model's name.")
]
Folder = Annotated[Path, typer.Argument(metavar="DIR", help="Where the files go.")]
Image = Annotated[str, typer.Option("--image", help="The image, as pushed; built from `export docker`.")]
Replicas = Annotated[int, typer.Option("--replicas", min=1, help="At least so many pods.")]
Most = Annotated[int, typer.Option("--most-replicas", min=1, help="At most so many, when the CPU is busy.")]
Cpu = Annotated[str, typer.Option("--cpu", help="Of one pod, as Kubernetes writes it: 500m, 2.")]
Memory = Annotated[str, typer.Option("--memory", help="Of one pod: 512Mi, 1Gi.")]
Hosts = Annotated[
    list[str] | None, typer.Option("--allow-host", help="A name clients call the server by; repeatable.")
]


@app.command()
def docker(
    version: Ref,
    folder: Folder,
    lock: Annotated[
        Path | None, typer.Option("--lock", help="A lock with hashes, which the image then insists on.")
    ] = None,
) -> None:
    """Write a build context: exact versions, the package, no root, a health check."""
    made = _exports().docker(version, folder, lock=lock)
    put(made)
    say(f"Next: docker build {made}; the first lines of its Dockerfile say how to run it.")


@app.command()
def kubernetes(
    version: Ref,
    folder: Folder,
    image: Image,
    replicas: Replicas = 2,
    most_replicas: Most = 10,
    cpu: Cpu = "1",
    memory: Memory = "1Gi",
    allow_host: Hosts = None,
) -> None:
    """Write Deployment, Service and autoscaler of the image of `export docker`."""
    running = _running(image, replicas, most_replicas, cpu, memory, allow_host)
    for path in _exports().kubernetes(version, folder, running):
        put(path)


@app.command()
def kserve(
    version: Ref,
    folder: Folder,
    image: Image,
    replicas: Replicas = 1,
    most_replicas: Most = 10,
    cpu: Cpu = "1",
    memory: Memory = "1Gi",
    allow_host: Hosts = None,
) -> None:
    """Write the InferenceService of the image of `export docker`; it speaks the v2 protocol."""
    running = _running(image, replicas, most_replicas, cpu, memory, allow_host)
    for path in _exports().kserve(version, folder, running):
        put(path)


@app.command()
def mlflow(
    version: Ref,
    to: Annotated[str, typer.Option("--to", metavar="URI", help="The server: http://127.0.0.1:5000.")],
    experiment: Annotated[str | None, typer.Option("--experiment", help="By default named as the model.")] = None,
    every: Annotated[bool, typer.Option("--all", help="Every version of the model, oldest first.")] = False,
    as_json: AsJson = False,
) -> None:
    """Write run, notebook, model, version and aliases to an MLflow server; what is there already stays."""
    exports = _exports()
    if every:
        made = exports.mlflow_all(version, to, experiment=experiment)
    else:
        made = [exports.mlflow(version, to, experiment=experiment)]
    emit(made, ["version", "model", "number", "aliases", "run_id", "created"], as_json=as_json)
    for one in made:
        if one.skipped:
            say(f"MLflow keeps the name {', '.join(one.skipped)} for itself; {one.version} has not got it there.")


@app.command()
def onnx(
    version: Ref,
    path: Annotated[Path, typer.Argument(metavar="FILE", help="The .onnx file; its certificate goes beside it.")],
    as_json: AsJson = False,
) -> None:
    """Write the model as one ONNX file for devices, held against the package on its reference."""
    certificate = _exports().onnx(version, path)
    if as_json:
        emit_one(certificate, as_json=True)
        return
    put(path)
    say(f"{certificate.sentence}.")


def import_model(
    path: Annotated[Path, typer.Argument(help="An MLflow model directory, an .onnx file, a .joblib or .pkl.")],
    example: Annotated[str, typer.Option("--example", help="Rows it was not trained on: CSV, Parquet, a data set.")],
    target: Annotated[str, typer.Option("--target", help="The example's column of true values.")],
    model: Annotated[str, typer.Option("--model", help="Name of the model it becomes a version of.")],
    allow_pickle: Annotated[
        bool, typer.Option("--allow-pickle", help="Run the code in a pickle, once; what is sealed holds none.")
    ] = False,
    note: Annotated[str, typer.Option("--note", help="Why, in a sentence; it is kept.")] = "",
    as_json: AsJson = False,
) -> None:
    """Seal a model made elsewhere, register it, and bless it in a fresh process."""
    from nbprod.domain.names import check_name
    from nbprod.workspace import open_workspace  # opens the ledger: SQLAlchemy takes a quarter of a second

    check_name(model, "model")
    workspace = open_workspace()
    package = workspace.packages.import_model(
        path, example=workspace.locate_data(example), target=target, allow_pickle=allow_pickle
    )
    version = workspace.models.bless(workspace.models.register(package, model=model, note=note))
    emit_one(version, as_json=as_json)
    say(f"{version.ref} is {version.approval}. Next: nbprod models approve {version.ref} --note WHY")


def _running(
    image: str, replicas: int, most_replicas: int, cpu: str, memory: str, hosts: list[str] | None
) -> Running:
    from nbprod.exports.pods import Running  # only needed here

    return Running(
        image=image,
        replicas=replicas,
        most_replicas=most_replicas,
        cpu=cpu,
        memory=memory,
        hosts=tuple(hosts or ()),
    )


def _exports() -> Exports:
    from nbprod.workspace import open_workspace  # opens the ledger: SQLAlchemy takes a quarter of a second

    return open_workspace().exports
