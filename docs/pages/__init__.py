"""The generated pages of the documentation, one module each, from the code they describe.

Here: `render() -> str` per page. Written by hand are only headings and what a table can't say.
Not here: facts that the code knows; a page asks the code.
"""
