"""The security policy of each tool category (SEC-022, RES-012): limits, and what it may need."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from typing import Final, NamedTuple


class CategoryPolicy(enum.Enum):
    """The seeds' names."""

    DATA_PROCESSING = "DataProcessing"
    NETWORK_ACCESS = "NetworkAccess"
    FILE_SYSTEM_ACCESS = "FileSystemAccess"
    AI_PROCESSING = "AIProcessing"
    EXTERNAL_COMMUNICATION = "ExternalCommunication"


class CategoryRules(NamedTuple):
    """One category: bytes of data, seconds, bytes of memory, and the needs it may declare."""

    policy: CategoryPolicy
    max_data: int
    timeout: int
    memory: int
    needs: frozenset[str]


_MIB: Final = 1024 * 1024

CATEGORIES: Final[Mapping[str, CategoryRules]] = {
    "util": CategoryRules(
        CategoryPolicy.DATA_PROCESSING, 100 * _MIB, 60, 256 * _MIB, frozenset({"env"})
    ),
    "data": CategoryRules(
        CategoryPolicy.DATA_PROCESSING, 100 * _MIB, 60, 256 * _MIB, frozenset({"read", "write"})
    ),
    "web": CategoryRules(
        CategoryPolicy.NETWORK_ACCESS, 50 * _MIB, 30, 128 * _MIB, frozenset({"net", "env"})
    ),
    "filesystem": CategoryRules(
        CategoryPolicy.FILE_SYSTEM_ACCESS,
        1024 * _MIB,
        120,
        512 * _MIB,
        frozenset({"read", "write"}),
    ),
    "ai": CategoryRules(
        CategoryPolicy.AI_PROCESSING,
        200 * _MIB,
        180,
        1024 * _MIB,
        frozenset({"model", "net", "read"}),
    ),
    "communication": CategoryRules(
        CategoryPolicy.EXTERNAL_COMMUNICATION,
        10 * _MIB,
        30,
        64 * _MIB,
        frozenset({"net", "local_service"}),
    ),
}
"""A tool of a category that declares another need is a mistake in the tool."""
