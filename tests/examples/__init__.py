"""Every example, run by the real command line in a process of its own, and its output compared.

Here live the list of examples as the tests see it, and a loopback server for those that fetch.
No unit of the package is tested here.
"""
