"""What the build takes from elsewhere, each by exact version and content."""

from __future__ import annotations

from typing import Final, NamedTuple

ZIG: Final = "0.17.0"
"""The `ziglang` package that compiles everything; another version makes other bytes."""

FINDER: Final = "unearth>=0.19,<1"
"""Finds and downloads the sources through the user's own index settings."""

SECCOMP: Final = "pyseccomp>=0.1.2"
"""Compiles the system-call filters with the machine's libseccomp."""


class Source(NamedTuple):
    """One source distribution and the folder in it that is needed.

    `sha256` is that of the whole archive; `folder` ends without a slash.
    """

    project: str
    version: str
    archive: str
    sha256: str
    folder: str


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
