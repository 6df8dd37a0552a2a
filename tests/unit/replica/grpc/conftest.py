"""What gRPC tests begin with."""

import functools

import pytest


@pytest.fixture
def site(replica):
    """Makes `async with site(Deployment) as here`."""
    # Not at the top: without the extra [grpc] this would keep all tests from running.
    from tests.unit.replica.grpc.site import open_site

    return functools.partial(open_site, replica)
