"""What may start a job later: triggers and their checks, pure.

Only requests are made here. May not live here: clocks, running anything (hosting does it).
"""
