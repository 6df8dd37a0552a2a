"""What the user types to connect to a remote instance."""

import pytest

from workbench.sidebar.contact import Contact, checked_token, checked_url, name_of_url
from workbench.sidebar.refusal import RefusedError


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("http://host:8265", "http://host:8265"),
        (" https://host/path/ \n", "https://host/path"),
        ("http://[::1]:80", "http://[::1]:80"),
    ],
)
def test_an_address_is_kept_without_what_adds_nothing(text, kept):
    assert checked_url(text) == kept


@pytest.mark.parametrize(
    "text",
    [
        "",
        "host:8265",
        "ftp://host",
        "file:///etc/passwd",
        "http://",
        "http://host:port",
        "http://[::1",
        "http://user:secret@host",
        "http://host/?token=secret",
        "http://host/#secret",
    ],
)
def test_what_is_no_address_is_refused_without_repeating_a_secret(text):
    with pytest.raises(RefusedError) as refused:
        checked_url(text)

    assert refused.value.status == 400
    assert "secret" not in str(refused.value)


@pytest.mark.parametrize("text", ["", "  ", "two words", "tök", "a\r\nb"])
def test_what_is_no_token_is_refused_without_repeating_it(text):
    with pytest.raises(RefusedError) as refused:
        checked_token(text)

    assert refused.value.status == 400
    assert not text.strip() or text not in str(refused.value)


def test_a_token_is_not_part_of_what_is_printed_or_listed():
    contact = Contact(id="i", url="http://host", token="secret")

    assert "secret" not in repr(contact)
    assert "secret" not in repr(contact.show())


def test_an_address_makes_a_name():
    assert name_of_url("https://10.0.0.5:8265/a/b") == "10.0.0.5-8265-a-b"
