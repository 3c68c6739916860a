"""`{{name.path}}` in texts that a spell chose: parsed by a scanner, rendered under bounds.

Every length, depth and number of steps has a bound, so a hostile template costs microseconds to
milliseconds here. May not live here: regular expressions, files, what values mean to a workflow.
"""

from llmspell.spells.templating.fill import fill
from llmspell.spells.templating.rendering import evaluate, render
from llmspell.spells.templating.values import Scope, View, is_true

__all__ = ["Scope", "View", "evaluate", "fill", "is_true", "render"]
