"""The documentation: pages for people, and the programs that write the generated ones.

Here: Markdown, `generate.py` and `pages/`. A package, so that nothing installed can take its name.
Not here: anything that the installed llmspell imports.
"""
