"""Records behave as `typing.NamedTuple`'s do, which checkers take them for."""

from __future__ import annotations

import copy
import pickle
import typing
from typing import Any

import pytest

from llmspell import records


class Point(records.NamedTuple):
    """A place."""

    x: int
    y: int = 2
    label: str | None = None

    @property
    def doubled(self) -> int:
        """Twice `x`."""
        return self.x * 2

    @classmethod
    def origin(cls) -> Point:
        """The middle."""
        return cls(0, 0)


class Standard(typing.NamedTuple):
    """A place."""

    x: int
    y: int = 2
    label: str | None = None


class Deeper(Point):
    """A kind of place."""

    __slots__ = ()


class Empty(records.NamedTuple):
    """Nothing."""


@pytest.mark.parametrize("given", [(1,), (1, 3), (1, 3, "a")])
def test_it_is_made_as_the_standard_one(given: tuple[Any, ...]) -> None:
    made, standard = Point(*given), Standard(*given)
    assert tuple(made) == tuple(standard)
    assert repr(made) == repr(standard).replace("Standard", "Point")
    assert made._asdict() == standard._asdict()
    assert hash(made) == hash(standard)
    assert (made.x, made.y, made.label) == (standard.x, standard.y, standard.label)


def test_by_name_by_default_and_by_class() -> None:
    assert Point(x=1, label="a") == Point(1, 2, "a") == (1, 2, "a")
    assert Point.origin() == (0, 0, None)
    assert Point(4).doubled == 8
    assert (Point._fields, Point._field_defaults) == (Standard._fields, Standard._field_defaults)
    assert Point.__doc__ == "A place."
    assert Empty() == ()
    assert isinstance(Deeper(1), Point) and type(Deeper(1)._replace(x=3)) is Deeper


@pytest.mark.parametrize("given", [(), (1, 2, "a", 4)])
def test_a_wrong_number_of_values_is_refused(given: tuple[Any, ...]) -> None:
    for kind in (Point, Standard):
        with pytest.raises(TypeError):
            kind(*given)
        with pytest.raises(TypeError):
            kind._make(given)
    with pytest.raises(TypeError):
        Point(1, z=2)  # type: ignore[call-arg]


def test_replacing() -> None:
    assert Point(1)._replace(y=5) == (1, 5, None)
    with pytest.raises(ValueError):
        Point(1)._replace(z=5)  # type: ignore[call-arg]


def test_it_can_not_be_changed_and_holds_nothing_else() -> None:
    place = Point(1)
    with pytest.raises(AttributeError):
        place.x = 2  # type: ignore[misc]
    with pytest.raises(AttributeError):
        place.other = 2  # type: ignore[attr-defined]


def test_matching_copying_and_pickling() -> None:
    match Point(1, 7):
        case Point(x, y):
            assert (x, y) == (1, 7)
    assert copy.deepcopy(Point(1)) == Point(1)
    assert pickle.loads(pickle.dumps(Point(1))) == Point(1)


def test_what_is_no_record_is_refused() -> None:
    maker: Any = type(records.NamedTuple)
    for fields, values in ((("a", "b"), {"a": 1}), (("_a",), {})):
        body = {"__annotations__": dict.fromkeys(fields, int), **values}
        with pytest.raises((TypeError, ValueError)):
            maker("Wrong", (records.NamedTuple,), body)
