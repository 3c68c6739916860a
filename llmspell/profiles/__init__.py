"""The built-in profiles, grants and policy files, and how they become one `Policy`.

Here files may be read and paths resolved, once, before a run; the result decides without I/O.
No decision lives here (see `policies`), and nothing here runs while a spell does.
"""
