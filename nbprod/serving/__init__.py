"""The server of a deployment: one process that watches, workers that answer, one drainer that keeps.

::

    supervisor ── reads the ledger, binds the address, starts and replaces the others, tells workers what to serve
     ├─ worker (one or more) ── HTTP; a compiled model; a durable spool; no ledger, no data frames
     └─ drainer ── spools into the Delta tables, sums of each minute beside them

The supervisor and a worker talk over two pipes in lines of JSON (:mod:`nbprod.serving.assignment`); a pipe that ends
means that the other has ended. So a worker answers while the ledger is away, and nobody outlives the supervisor.
"""
