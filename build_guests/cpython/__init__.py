"""The build of the CPython guest: what it is made of, and how its library becomes part of it."""
