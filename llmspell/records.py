"""Records as light as a command's start needs them: `typing.NamedTuple` at a tenth of its cost.

A cold `llmspell run` defines some eighty of them. The standard one compiles every field's type as
an expression, generates its constructor at once and needs `typing` itself: 13 ms before the first
line of a spell. Here fields are read from the class body and the constructor is generated when the
first record is made. Checkers see `typing.NamedTuple`; whoever uses a record sees no difference.

`TYPE_CHECKING` and `Protocol` stand here for the same reason: `typing` is then imported by checkers
alone, and a protocol, which nothing asks for at run time, is an empty class.
"""

from __future__ import annotations

__all__ = ["TYPE_CHECKING", "NamedTuple", "Protocol"]

TYPE_CHECKING = False

if TYPE_CHECKING:
    from typing import NamedTuple as NamedTuple
    from typing import Protocol as Protocol
else:
    try:
        from _collections import _tuplegetter
    except ImportError:  # an interpreter without the accelerator of `collections`

        def _tuplegetter(index, doc):
            return property(lambda record: tuple.__getitem__(record, index), doc=doc)

    Protocol = object

    class _Record(tuple):
        """What every record can do; as the tuples of `collections.namedtuple`."""

        __slots__ = ()
        _fields = ()
        _field_defaults = {}  # noqa: RUF012  never written

        def __new__(cls, *args, **kwargs):
            home = next(kind for kind in cls.__mro__ if "_fields" in kind.__dict__)
            home.__new__ = staticmethod(_constructor(home))
            return home.__new__(cls, *args, **kwargs)

        @classmethod
        def _make(cls, values):
            """A record from a sequence of all its values. Raises TypeError for another number."""
            record = tuple.__new__(cls, values)
            if len(record) != len(cls._fields):
                raise TypeError(f"Expected {len(cls._fields)} arguments, got {len(record)}")
            return record

        def _replace(self, /, **changes):
            """The same record with other values. Raises ValueError for an unknown field."""
            record = self._make(map(changes.pop, self._fields, self))
            if changes:
                raise ValueError(f"Got unexpected field names: {list(changes)!r}")
            return record

        __replace__ = _replace

        def _asdict(self):
            """The fields by name."""
            return dict(zip(self._fields, self, strict=True))

        def __repr__(self):
            shown = ", ".join(
                f"{name}={value!r}" for name, value in zip(self._fields, self, strict=True)
            )
            return f"{type(self).__name__}({shown})"

        def __getnewargs__(self):
            return tuple(self)

    def _constructor(kind):
        """`__new__` of a record: generated, so that a call costs what a namedtuple's does."""
        names = ", ".join(kind._fields)
        body = f"lambda _cls, {names}: _new(_cls, ({names}{',' if kind._fields else ''}))"
        made = eval(body, {"_new": tuple.__new__, "__builtins__": {}})
        made.__name__ = "__new__"
        made.__qualname__ = f"{kind.__name__}.__new__"
        made.__defaults__ = tuple(kind._field_defaults.values())
        return made

    class _Maker(type):
        def __new__(mcs, name, bases, body):
            if not bases:
                return type.__new__(mcs, name, bases, body)
            if len(bases) != 1:
                raise TypeError("a record has no other base")
            fields = tuple(body.get("__annotations__", ()))
            defaults = {field: body[field] for field in fields if field in body}
            if tuple(defaults) != fields[len(fields) - len(defaults) :]:
                raise TypeError(f"{name}: a field without a default follows one with a default")
            for index, field in enumerate(fields):
                if field.startswith("_"):
                    raise ValueError(f"{name}: a field can't start with an underscore: {field!r}")
                body[field] = _tuplegetter(index, f"Alias for field number {index}")
            body |= {
                "__slots__": (),
                "__match_args__": fields,
                "_fields": fields,
                "_field_defaults": defaults,
            }
            return type(name, (_Record,), body)

    class NamedTuple(metaclass=_Maker):
        """The base that a class of records names; the class itself is a plain tuple's."""
