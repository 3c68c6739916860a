# Hooks at the end of the run: they run while the spell's functions still can.
# A part of the prelude; tools check the whole, preludes/_generated/prelude.py.
# ruff: noqa
# mypy: ignore-errors

def run_shutdown_hooks() -> bool:
    """Asked when main and every task have ended. A run that fails or is stopped has no such end."""
    if not OBJECTS.shutdown_hooked:
        return False
    OBJECTS.shutdown_hooked = False
    Call("hooks.execute", {"point": "system_shutdown"}, None)
    return True


LOOP.at_end.append(run_shutdown_hooks)
