"""Permissions as values to hold and pass on (SEC-018): least privilege, asked of one policy.

`PermissionSet(policy).check(FileRead("/data/a.csv"))` is the policy's own verdict; a permission
says what is wanted and never grants anything by existing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from llmspell.errors import Denied
from llmspell.policies.verdict import Verdict, allows, deny

if TYPE_CHECKING:
    from llmspell.policies.policy import Policy


class FileRead(NamedTuple):
    """Reading the file at an absolute path."""

    path: str


class FileWrite(NamedTuple):
    """Writing at an absolute path."""

    path: str


class DirectoryList(NamedTuple):
    """Listing the folder at an absolute path."""

    path: str


class Connect(NamedTuple):
    """Requests to a host."""

    host: str
    port: int = 443
    scheme: str = "https"


Permission = FileRead | FileWrite | DirectoryList | Connect


class PermissionSet:
    """All that one policy permits."""

    __slots__ = ("_policy",)

    def __init__(self, policy: Policy) -> None:
        self._policy = policy

    def judge(self, permission: Permission) -> Verdict:
        """The policy's verdict; anything that is no permission is denied."""
        if isinstance(permission, FileRead):
            return self._policy.files.judge("read", permission.path)
        if isinstance(permission, FileWrite):
            return self._policy.files.judge("write", permission.path)
        if isinstance(permission, DirectoryList):
            return self._policy.files.judge("list", permission.path)
        if isinstance(permission, Connect):
            return self._policy.net.judge_host(permission.scheme, permission.host, permission.port)
        return deny("permissions.unknown", "this is no permission")

    def __contains__(self, permission: Permission) -> bool:
        return allows(self.judge(permission))

    def check(self, permission: Permission) -> None:
        """Raises `Denied` (rule and hint set) unless the permission is held."""
        verdict = self.judge(permission)
        if not allows(verdict):
            kind = type(permission).__name__
            raise Denied(
                f"permission {kind} is not held: {verdict.reason}",
                rule=verdict.rule,
                hint=verdict.hint,
            )
