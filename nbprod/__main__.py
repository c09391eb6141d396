"""``python -m nbprod``."""

from nbprod.cli import main

main()
