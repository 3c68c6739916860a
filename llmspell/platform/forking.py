"""This system's zygotes; apart from the package's front door, which every run imports."""

from llmspell.platform.linux.zygote import Forked, Zygote, ZygoteGone

__all__ = ["Forked", "Zygote", "ZygoteGone"]
