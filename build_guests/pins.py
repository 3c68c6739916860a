"""What the build takes from elsewhere, each by exact version and content."""

from __future__ import annotations

from typing import Final, NamedTuple

ZIG: Final = "0.17.0"
"""The `ziglang` package that compiles everything; another version makes other bytes."""

FINDER: Final = "unearth>=0.19,<1"
"""Finds and downloads the sources through the user's own index settings."""

SECCOMP: Final = "pyseccomp>=0.1.2"
"""Compiles the system-call filters with the machine's libseccomp."""


WASMTIME: Final = "50.0.1"
"""The package that runs CPython once, while it is built, to compile its own library."""


class Source(NamedTuple):
    """One source distribution and the folder in it that is needed.

    `sha256` is that of the whole archive; `folder` ends without a slash. `urls` is empty when the
    archive comes from the user's package index, else the places to try, in order.
    """

    project: str
    version: str
    archive: str
    sha256: str
    folder: str
    urls: tuple[str, ...] = ()


LUA: Final = Source(
    "lupa",
    "2.8",
    "lupa-2.8.tar.gz",
    "d8022641b9ec8ecf2c5ecbe9f47e5a70e0b87c4b5ae921b92cb02a638e0acd08",
    "lupa-2.8/third-party/lua54",
)
QUICKJS: Final = Source(
    "quickjs-ng",
    "0.17.0.2",
    "quickjs_ng-0.17.0.2.tar.gz",
    "43d2e48272208721a7aaea8e3f02d4b9318f12ef20cc4f5421b59d9a470706ef",
    "quickjs_ng-0.17.0.2/upstream-quickjs",
)
CPYTHON: Final = Source(
    "cpython",
    "3.13.5",
    "Python-3.13.5.tar.xz",
    "93e583f243454e6e9e4588ca2c2662206ad961659863277afcdb96801647d640",
    "Python-3.13.5",
    (
        "https://www.python.org/ftp/python/3.13.5/Python-3.13.5.tar.xz",
        # The same bytes, as Debian keeps them.
        "https://deb.debian.org/debian/pool/main/p/python3.13/python3.13_3.13.5.orig.tar.xz",
    ),
)
ZLIB: Final = Source(
    "zlib",
    "1.3.1",
    "zlib_1.3.dfsg+really1.3.1.orig.tar.gz",
    "60dd315c07f616887caa029408308a018ace66e3d142726a97db164b3b8f69fb",
    "zlib-1.3.1",
    ("https://deb.debian.org/debian/pool/main/z/zlib/zlib_1.3.dfsg+really1.3.1.orig.tar.gz",),
)
"""What CPython's own archive lacks. Debian's copy leaves out documents that are not free."""
