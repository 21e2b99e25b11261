# SPDX-License-Identifier: Apache-2.0
"""Makes the modules of the tools, scripts and system tests importable, and holds what the tests share."""
import contextlib
import io
import pathlib
import sys

ROOT = pathlib.Path(__file__).resolve().parents[3]
for folder in ("tools", "scripts", "tests/system"):
    if str(ROOT / folder) not in sys.path:
        sys.path.insert(0, str(ROOT / folder))


def run_main(main, *words):
    """(status, stdout, stderr) of a tool's main()."""
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            status = main([str(word) for word in words])
        except SystemExit as end:
            status = end.code
    return status, out.getvalue(), err.getvalue()
