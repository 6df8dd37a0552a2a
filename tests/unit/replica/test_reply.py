"""Header lines, and the request's JSON."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workbench.replica.exchange import _parse_json
from workbench.replica.reply import check_status, head_of


def test_lines_of_the_proxy_are_left_to_it():
    headers = [
        (b"Content-Type", b"text/plain"),
        (b"Content-Length", b"12"),
        (b"Connection", b"close"),
        (b"Date", b"now"),
        (b"Server", b"mine"),
        (b"Transfer-Encoding", b"chunked"),
        (b"set-cookie", b"a=1"),
        (b"set-cookie", b"b=2"),
    ]

    assert head_of(headers) == (
        b"content-type: text/plain\r\nset-cookie: a=1\r\nset-cookie: b=2\r\n",
        12,
    )


@pytest.mark.parametrize(
    "header",
    [(b"a", b"x\r\nb: y"), (b"a", b"x\ny"), (b"a", b"x\ry"), (b"a", b"\0"),
     (b"a b", b""), (b"a:", b""), (b"", b""), (b"a\r\nb", b"")],
)  # fmt: skip
def test_a_header_cannot_break_out_of_its_line(header):
    with pytest.raises(ValueError, match=r"header"):
        head_of([header])


@pytest.mark.parametrize("status", [0, 101, 199, 1000])
def test_only_final_statuses_are_sent(status):
    with pytest.raises(ValueError, match=str(status)):
        check_status(status)


@given(st.text() | st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
).map(json.dumps))  # fmt: skip
def test_a_body_is_read_as_json_reads_it(text):
    body = text.encode("utf-8", "surrogatepass")
    assert_same_as_json(body)


@pytest.mark.parametrize(
    "body",
    [b"1e400", b"[NaN]", b'"\\ud800"', b"1" * 50, b"-0", b"-0.0", b'{"a":1,"a":2}',
     '"é"'.encode("utf-16"), b"\xef\xbb\xbf1", b" 1 ", b"[1.0, 1e5]", b"\xff"],
)  # fmt: skip
def test_odd_json_is_read_as_json_reads_it(body):
    assert_same_as_json(body)


def assert_same_as_json(body):
    try:
        expected = json.loads(body)
    except ValueError as error:
        with pytest.raises(type(error)):
            _parse_json(body)
    else:
        assert repr(_parse_json(body)) == repr(expected)
