"""Options of the proxy: what cannot be is refused."""

import pytest

from workbench.spec.http import HTTPOptions, not_applied


@pytest.mark.parametrize(
    "wrong",
    [
        {"port": -1},
        {"port": 65536},
        {"root_path": "outer"},
        {"ssl_certfile": "cert.pem"},
        {"ssl_keyfile": "key.pem"},
        {"ssl_ca_certs": "ca.pem"},
        {"max_url_bytes": 0},
        {"max_body_bytes": 0},
        {"header_timeout_s": -1.0},
        {"forwarded_allow_ips": "localhost"},
        {"proxy_location": "Nowhere"},
    ],
)
def test_what_cannot_be_is_refused_by_name(wrong):
    with pytest.raises(ValueError, match=next(iter(wrong))):
        HTTPOptions(**wrong)


def test_a_certificate_makes_it_https():
    assert HTTPOptions().scheme == "http"
    assert HTTPOptions(ssl_certfile="c", ssl_keyfile="k").scheme == "https"


def test_options_that_a_running_proxy_does_not_have_are_named():
    running = HTTPOptions(keep_alive_timeout_s=5, ssl_certfile="a", ssl_keyfile="b")
    asked = HTTPOptions(host="0.0.0.0", port=80, keep_alive_timeout_s=5)

    assert not_applied(asked, running) == ["host"]
    assert not_applied(HTTPOptions(), running) == []
