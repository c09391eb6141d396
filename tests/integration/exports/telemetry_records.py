"""A receiver on the loopback, and records to tell of."""

import http.server
import json
import threading
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

from nbprod.domain.run import Run, RunStatus

AT = datetime(2026, 11, 20, 9, 44, 13, 123456, tzinfo=UTC)


def run_of(name, status=RunStatus.SUCCEEDED, **fields):
    given = {
        "template": "train",
        "source": "train.ipynb",
        "template_digest": "0" * 64,
        "folder": "/x",
        "created_at": AT,
        "started_at": AT + timedelta(seconds=1),
        "ended_at": AT + timedelta(seconds=3) if status is not RunStatus.RUNNING else None,
        "parameters": {"data": "s3://key:secret@bucket/rows.parquet?token=x", "seed": 7},
        "metrics": {"auc": 0.875},
        "data": {"data": "f1"},
    }
    return Run(id=name, status=status, **{**given, **fields})


@contextmanager
def receiver(answer=b"{}", status=200, headers=()):
    """An HTTP server that keeps what it is sent: path, headers and JSON."""
    got = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self):
            body = self.rfile.read(int(self.headers["Content-Length"]))
            got.append((self.path, dict(self.headers), json.loads(body)))
            self.send_response(status)
            for name, value in headers:
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *_):
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}", got
        finally:
            server.shutdown()
            thread.join()
