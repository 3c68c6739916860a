"""The built-in tools: trusted code over bytes that strangers wrote, run in a confined worker.

A tool is a file in its category's folder and uses the standard library and the broker alone.
No tool opens a file or a socket, and none is ever run in the supervisor.
"""
