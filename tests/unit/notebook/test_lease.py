from __future__ import annotations

import json
import os
import subprocess
import sys

from nbprod.notebook.lease import LEASE, Lease, is_held


def rewrite(folder, **changes):
    path = folder / LEASE
    path.write_text(json.dumps(json.loads(path.read_bytes()) | changes))


def test_a_lease_is_held_until_it_is_given_back(tmp_path):
    assert not is_held(tmp_path)
    lease = Lease(tmp_path)
    assert is_held(tmp_path)
    lease.end()
    assert not is_held(tmp_path)


def test_a_dead_holder_holds_nothing(tmp_path):
    code = "import sys; from pathlib import Path; from nbprod.notebook.lease import Lease; Lease(Path(sys.argv[1]))"
    subprocess.run([sys.executable, "-c", code, str(tmp_path)], check=True)
    assert not is_held(tmp_path)


def test_another_process_with_the_same_id_is_another_holder(tmp_path):
    Lease(tmp_path)
    rewrite(tmp_path, started=1.0)
    assert not is_held(tmp_path)


def test_a_holder_on_another_machine_is_believed_for_a_minute(tmp_path):
    Lease(tmp_path)
    rewrite(tmp_path, host="elsewhere", pid=1)
    assert is_held(tmp_path)
    os.utime(tmp_path / LEASE, (1, 1))
    assert not is_held(tmp_path)


def test_a_torn_lease_is_held_by_nobody(tmp_path):
    (tmp_path / LEASE).write_text('{"pid":')
    assert not is_held(tmp_path)
