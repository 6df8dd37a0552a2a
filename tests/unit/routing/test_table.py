"""Paths find the application with the longest prefix."""

import pytest

from workbench.routing.table import RouteIndex
from workbench.spec.table import RouteEntry, Table


def index(*prefixes):
    routes = tuple(
        RouteEntry(prefix=prefix, app=prefix, deployment=f"{prefix}#d")
        for prefix in prefixes
    )
    return RouteIndex(Table(routes=routes))


@pytest.mark.parametrize(
    ("path", "prefix"),
    [
        ("/", "/"),
        ("/x", "/"),
        ("/api", "/api"),
        ("/api/", "/api"),
        ("/api/v1", "/api"),
        ("/api/v2", "/api/v2"),
        ("/api/v2/x/y", "/api/v2"),
        ("/api/v22", "/api"),
        ("/apis", "/"),
        ("//api", "/"),
        ("/" * 100_000, "/"),
        ("/ä/b", "/ä"),
    ],
)
def test_longest_prefix_on_a_segment_boundary(path, prefix):
    found = index("/", "/api", "/api/v2", "/ä").match(path)

    assert found is not None
    assert found.prefix == prefix


@pytest.mark.parametrize("path", ["/", "/apis", "/other", "*", ""])
def test_without_a_root_application_some_paths_belong_to_nobody(path):
    assert index("/api").match(path) is None


def test_an_empty_table_matches_nothing():
    assert index().match("/") is None
    assert index().apps() == {}


def test_it_says_which_prefix_leads_where():
    assert index("/", "/api").apps() == {"/": "/", "/api": "/api"}
