"""The documentation, run: what a page shows is what the program does.

Here live the reader of fenced blocks and the tests over README, docs and the other pages.
Nothing here tests a feature that no page shows.
"""
