"""Where proxies are, in the forms that users write it."""

import pytest

from workbench.serve.config import ProxyLocation, located
from workbench.spec.http import HTTPOptions


@pytest.mark.parametrize("place", [None, "EveryNode", "HeadOnly"])
def test_the_usual_place_changes_nothing(place):
    assert located(None, place) is None
    assert located(HTTPOptions(port=81), place) == HTTPOptions(port=81)


@pytest.mark.parametrize("place", ["Disabled", ProxyLocation.Disabled])
def test_disabled_means_no_proxy_whatever_it_would_listen_like(place):
    for given in (None, HTTPOptions(port=81)):
        made = located(given, place)
        assert made is not None
        assert not made.has_proxy


def test_another_place_is_refused_with_those_that_there_are():
    with pytest.raises(ValueError, match=r"HeadOnly.*'Nowhere'"):
        located(None, "Nowhere")
