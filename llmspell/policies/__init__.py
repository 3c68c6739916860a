"""Pure decisions: (policy, request) → Verdict, and the arithmetic of budgets.

No I/O, no clock and no global state live here; what a decision needs is handed in.
Nothing that loads files (see `profiles`), opens sockets or talks to a worker may come in.
"""
