"""The page and the server speak of the same things."""

import runpy
from pathlib import Path

GENERATOR = Path(__file__).parents[3] / "extension" / "protocol.py"


def test_the_types_of_the_page_are_those_of_the_records():
    generator = runpy.run_path(str(GENERATOR))
    written = generator["TARGET"].read_text(encoding="utf-8")
    assert written == generator["protocol"](), "run `python extension/protocol.py`"
