"""A file of spans, and the one before it."""

from workbench.observe.span_file import SpanFile


def test_lines_are_there_at_once_and_old_ones_go(tmp_path):
    file = SpanFile(tmp_path / "spans" / "proxy_1.jsonl", most_bytes=10)
    for number in range(5):
        file.write(f"line {number}\n")

    found = {each.name: each.read_text() for each in (tmp_path / "spans").iterdir()}
    assert found == {
        "proxy_1.jsonl": "line 4\n",
        "proxy_1.1.jsonl": "line 2\nline 3\n",
    }
