"""A notebook's kernel in miniature: runs the cells that come in as JSON lines.

Started by `redeploy`. Cells go through IPython as from Shift+Enter; when each began,
on the clock that all processes share, is said for each.
"""

import json
import sys
import time

from IPython.core.interactiveshell import InteractiveShell


def main():
    """Load the extension, then run cells until the input closes."""
    shell = InteractiveShell.instance()
    run(shell, "%load_ext workbench")
    print("READY", flush=True)
    for line in sys.stdin:
        print(f"CELL {json.dumps(run(shell, json.loads(line)))}", flush=True)
    run(shell, "%serve shutdown")


def run(shell, cell):
    """Run one cell; when it began and how long it took."""
    begin = time.monotonic()
    result = shell.run_cell(cell, store_history=True)
    took_s = time.monotonic() - begin
    result.raise_error()
    return {"began_s": begin, "took_s": took_s}


if __name__ == "__main__":
    main()
