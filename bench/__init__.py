"""Benchmarks: side by side in one go with what users would pick instead; medians and ratios.

`python -m bench` lists them, `python -m bench NAME` runs one, `python -m bench report` writes
`docs/benchmarks/`, `python -m bench compare OLD NEW` finds regressions. They use llmspell as its
users do (`llmspell.Supervisor`, `llmspell.run`, the command); only `calls`, `policy` and `audit`
reach inside, because what they measure has no door of its own. Nothing here passes or fails on
speed. What the peers need comes from the package index: `pip install -e '.[bench]'`.
"""
