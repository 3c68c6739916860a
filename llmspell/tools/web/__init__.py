"""Tools that reach other hosts, each request a brokered call under the spell's own policy.

Here live HTTP tools and what reads their answers.
Nothing here resolves a name or opens a socket.
"""
