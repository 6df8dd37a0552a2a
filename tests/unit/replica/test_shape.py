"""How the user's callables have to be run."""

import functools

import pytest

from workbench.replica.shape import Shape, shape_of, takes_argument


class Methods:
    def plain(self, x): ...

    async def coroutine(self): ...

    def generator(self):
        yield

    async def async_generator(self, *items):
        yield

    @staticmethod
    async def static(): ...

    async def __call__(self, request): ...


@functools.wraps(Methods.coroutine)
async def wrapped(*args): ...


@pytest.mark.parametrize(
    ("function", "shape"),
    [
        (Methods().plain, Shape.FUNCTION),
        (Methods().coroutine, Shape.COROUTINE),
        (Methods().generator, Shape.GENERATOR),
        (Methods().async_generator, Shape.ASYNC_GENERATOR),
        (Methods.static, Shape.COROUTINE),
        (Methods(), Shape.COROUTINE),
        (functools.partial(Methods()), Shape.COROUTINE),
        (functools.partial(Methods().generator), Shape.GENERATOR),
        (wrapped, Shape.COROUTINE),
        (len, Shape.FUNCTION),
        (lambda: None, Shape.FUNCTION),
    ],
)
def test_a_callable_is_seen_through(function, shape):
    assert shape_of(function) is shape


@pytest.mark.parametrize(
    ("function", "takes"),
    [
        (lambda: 0, False),
        (lambda request: 0, True),
        (lambda *args: 0, True),
        (lambda **kwargs: 0, False),
        (lambda *, key=1: 0, False),
        (lambda request=None: 0, True),
        (Methods(), True),
        (Methods().coroutine, False),
        (print, True),
    ],
)
def test_whether_it_takes_the_request(function, takes):
    assert takes_argument(function) is takes
