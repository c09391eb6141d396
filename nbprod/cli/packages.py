"""``nbprod packages``: seal, look at, verify, bless and carry model packages."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from nbprod.cli.output import AsJson, Limit, emit, emit_one, put, say
from nbprod.domain.plain import plain
from nbprod.errors import NotFoundError

__all__ = ["app"]

app = typer.Typer(help="Build, verify, bless and carry model packages.", no_args_is_help=True)

Package = Annotated[str, typer.Argument(help="A digest, or its first six or more digits.", show_default=False)]
COLUMNS = ("digest", "task", "target", "format", "run_id", "created_at")


@app.command()
def build(
    run: Annotated[str, typer.Argument(help="The run that saved a model.", show_default=False)],
    as_json: AsJson = False,
) -> None:
    """Make a sealed package of the model a run saved."""
    package = _packages().build(run)
    if as_json:
        emit_one(package, as_json=True)
        return
    put(package.digest)
    say(f"Sealed in {package.folder}")


@app.command("list")
def list_packages(limit: Limit = 50, as_json: AsJson = False) -> None:
    """List packages, newest first."""
    emit(_packages().list(limit=limit), COLUMNS, as_json=as_json, empty="No packages yet: nbprod packages build RUN.")


@app.command()
def show(package: Package, as_json: AsJson = False) -> None:
    """Show one package; for people also whether its compiled model is used, and why."""
    packages = _packages()
    known = packages.get(package)
    certificate = None if as_json else packages.certificate(known)
    emit_one(known if certificate is None else {**plain(known), **dict(certificate.facts)}, as_json=as_json)


@app.command()
def certificate(package: Package, as_json: AsJson = False) -> None:
    """Show what the compiled model of a package was compared on with its pipeline, and what came out."""
    packages = _packages()
    known = packages.get(package)
    found = packages.certificate(known)
    if found is None:
        raise NotFoundError(
            f"Package {known.digest[:12]} was made before models were compiled",
            hint="Build it again from its run: nbprod packages build RUN.",
        )
    emit_one(found, as_json=as_json)


@app.command()
def verify(package: Annotated[str, typer.Argument(help="A digest, or a folder.", show_default=False)]) -> None:
    """Compare every byte with the manifest; name the first file that differs."""
    folder = Path(package)
    if folder.is_dir() and "/" in package:
        from nbprod.packages import verify_folder  # no workspace is needed

        sealed = verify_folder(folder)
    else:
        sealed = _packages().verify(package)
    put(sealed.digest)
    say(f"{len(sealed.files)} files match the manifest.")


@app.command()
def bless(package: Package, as_json: AsJson = False) -> None:
    """Load and score the golden rows in a fresh process, and record whether the values are equal."""
    blessing = _packages().bless(package)
    if as_json:
        emit_one(blessing, as_json=True)
        return
    put(blessing.sentence)
    say(f"Blessed on Python {blessing.python}, {blessing.platform}, in {blessing.seconds:.1f} s.")


@app.command()
def compare(first: Package, second: Package, as_json: AsJson = False) -> None:
    """Show the metrics of two packages, and what else differs."""
    emit_one(_packages().compare(first, second), as_json=as_json)


@app.command("import")
def import_package(
    path: Annotated[Path, typer.Argument(help="A .tar file or a folder made by export.", show_default=False)],
    digest: Annotated[
        str | None, typer.Option("--digest", help="The digest it must have, from somebody you trust.")
    ] = None,
) -> None:
    """Take in a package from elsewhere, verified."""
    package = _packages().import_(path, digest=digest)
    put(package.digest)
    if digest is None:
        say("It matches its own manifest; give --digest to compare it with the digest its maker gave you.")


@app.command()
def export(
    package: Package,
    path: Annotated[Path, typer.Argument(help="A .tar file or a folder that does not exist.", show_default=False)],
) -> None:
    """Write a package to a .tar file or a folder."""
    put(str(_packages().export(package, path)))


def _packages() -> Any:
    from nbprod.workspace import open_workspace  # opens the store

    return open_workspace().packages
