"""sandlock and llm-sandbox: packages that start a confined Python from a Python that stays."""

from __future__ import annotations

import os
import time
from typing import Any

from bench.peers import package, program, python
from bench.rounds import Unavailable

SANDLOCK = "sandlock (SDK) python"
SANDLOCK_DOES = "Landlock and seccomp; no policy on calls, no audit"
LLM_SANDBOX = "llm-sandbox (bubblewrap) python"
LLM_SANDBOX_DOES = "namespaces and seccomp, in a session that stays; no policy on calls, no audit"

FOLDERS = ["/usr", "/lib", "/lib64", "/bin", "/etc", "/proc", "/dev"]


def sandlock_ms() -> float:
    """A sandbox that runs `python -I -S -c pass`, to its end."""
    sandbox = package("sandlock").Sandbox
    begun = time.perf_counter()
    ended = sandbox(fs_readable=FOLDERS).run([python(), "-I", "-S", "-c", "pass"], timeout=30)
    spent = (time.perf_counter() - begun) * 1000
    if not ended.success:
        raise Unavailable(f"sandlock's run failed: {getattr(ended, 'error', ended)}")
    return spent


class LlmSandbox:
    """A session with the bubblewrap backend, which needs no daemon."""

    def __init__(self) -> None:
        made = package("llm_sandbox")
        os.environ["PATH"] = f"{os.path.dirname(program('bwrap'))}:{os.environ.get('PATH', '')}"
        try:
            self._session: Any = made.create_session(
                backend="bubblewrap", lang="python", skip_environment_setup=True
            )
            self._session.open()
        except Exception as error:  # whatever its backend raises is the reason
            raise Unavailable(f"its bubblewrap backend can't run here: {error}") from None

    def close(self) -> None:
        """Ends the session."""
        self._session.close()

    def result_ms(self) -> float:
        """One line run, to its result."""
        begun = time.perf_counter()
        ended = self._session.run("pass")
        spent = (time.perf_counter() - begun) * 1000
        if ended.exit_code:
            raise Unavailable(f"its run failed: {ended.stderr[-200:]}")
        return spent
