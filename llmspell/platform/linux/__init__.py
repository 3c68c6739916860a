"""Linux: the plan of a confinement as bytes, the filters, and the one way to start a process.

Here: plan.py, effects.py (pure), seccomp*.py, bpf.py (filters), process.py (spawn), probe.py.
Not here: code that applies a plan (sandboxes/confine, C) and decisions about what a spell may do.
"""
