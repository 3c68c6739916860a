"""Rules over plain names: models, environment variables, scopes of kept values."""

from __future__ import annotations

from llmspell.policies.globs import compile_glob, matches
from llmspell.policies.verdict import Verdict, allow, allow_flag, deny
from llmspell.records import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from typing import Final

MODES: Final = frozenset({"all", "listed", "none"})

_CODE_PREFIXES: Final = (
    "LD_",
    "DYLD_",
    "PYTHON",
    "PERL5",
    "RUBY",
    "NODE_",
    "NPM_CONFIG_",
    "BASH_FUNC_",
    "GIT_",
    "COR_",
    "CORECLR_",
    "DOTNET_",
    "LUA_",
    "LLMSPELL_",
    "_JAVA_",
    "JAVA_TOOL",
    "JDK_",
    "MALLOC_",
    "GCONV_",
)

_CODE_NAMES: Final = frozenset(
    {
        "BASH_ENV",
        "ENV",
        "SHELLOPTS",
        "BASHOPTS",
        "PS4",
        "PROMPT_COMMAND",
        "IFS",
        "CDPATH",
        "GLIBC_TUNABLES",
        "LOCPATH",
        "NLSPATH",
        "HOSTALIASES",
        "RESOLV_HOST_CONF",
        "OPENSSL_CONF",
        "OPENSSL_MODULES",
        "OPENSSL_ENGINES",
        "CLASSPATH",
        "CARGO_BUILD_RUSTC_WRAPPER",
        "RUSTC_WRAPPER",
        "EDITOR",
        "VISUAL",
        "PAGER",
        "BROWSER",
        "LESSOPEN",
        "LESSCLOSE",
        "SSH_ASKPASS",
        "SUDO_ASKPASS",
        "PHPRC",
        "PHP_INI_SCAN_DIR",
        "ERL_AFLAGS",
        "R_PROFILE",
        "R_PROFILE_USER",
        "JULIA_LOAD_PATH",
        "ELECTRON_RUN_AS_NODE",
        "QT_PLUGIN_PATH",
        "GTK_MODULES",
        "VIMINIT",
        "EXINIT",
        "EMACSLOADPATH",
        "ZDOTDIR",
        "FPATH",
    }
)


def runs_code(name: str) -> bool:
    """Whether an environment variable makes some program load or run what it names."""
    upper = name.upper()
    return upper in _CODE_NAMES or upper.startswith(_CODE_PREFIXES)


class NameRules(NamedTuple):
    """Which names may be used. `what` is `models` or `env`, `option` the flag that grants one.

    `mode`: `all`, `listed` (nothing listed means none, EN-07), `none` (grants still add names).
    A listed name may hold `*`; `denied` wins over everything.
    """

    profile: str
    what: str
    option: str
    mode: str
    names: tuple[str, ...] = ()
    denied: tuple[str, ...] = ()

    def judge(self, name: str) -> Verdict:
        """The verdict on one name."""
        rule = f"{self.profile}.{self.what}"
        if not isinstance(name, str) or not name or not name.isprintable() or len(name) > 256:
            return deny(f"{rule}.name", "this is no name")
        if self.mode not in MODES:
            return deny(f"{rule}.mode", f"{self.mode!r} is no mode")
        if self.what == "env":
            refused = self._refuse_env(name)
            if refused is not None:
                return refused
        if _listed(name, self.denied) or (
            # Some servers take a model's name in any case, so a denial holds in any.
            self.what == "models"
            and _listed(name.lower(), tuple(pattern.lower() for pattern in self.denied))
        ):
            return deny(f"{rule}.denied", f"a rule denies {name}")
        if _listed(name, self.names):
            return allow(f"grant.{self.what}", f"{name} was granted")
        if self.mode == "all":
            return allow(f"{rule}.all", f"the profile allows all {self.what}")
        return deny(
            f"{rule}.{name}",
            f"the profile {self.profile} does not grant {name}",
            allow_flag(self.option, name),
        )

    def grants_any(self) -> bool:
        """Whether any name at all may be used."""
        return self.mode == "all" or bool(self.names)

    def _refuse_env(self, name: str) -> Verdict | None:
        if "=" in name or not name.isascii():
            return deny(f"{self.profile}.env.name", "this is no name of an environment variable")
        # With everything allowed the code is the user's own, and so is the environment.
        if self.mode != "all" and runs_code(name):
            return deny(
                "protected.env",
                f"{name} makes programs run code",
                "no flag allows this; give the value as --param instead",
            )
        return None


SCOPES: Final = ("run", "spell", "tenant", "global")
"""From the narrowest: `run` is memory of this run, the others outlive it."""

STATE_MODES: Final = ("none", "own", "all")
"""`none`: nothing outlives a run; `own`: the spell's own scope; `all`: every scope."""


class StateRules(NamedTuple):
    """Which scopes of kept values a run may use. A scope in `denied` wins over everything.

    `names` are scopes granted by `--allow-state`. `run` is always there: it is the run's memory.
    """

    profile: str = "high"
    mode: str = "none"
    names: tuple[str, ...] = ()
    denied: tuple[str, ...] = ()

    def judge(self, scope: str) -> Verdict:
        """The verdict on one scope."""
        rule = f"{self.profile}.state"
        if scope not in SCOPES:
            return deny(f"{rule}.name", "there is no such scope")
        if self.mode not in STATE_MODES:
            return deny(f"{rule}.mode", f"{self.mode!r} is no mode")
        if scope in self.denied:
            return deny(f"{rule}.denied", f"a rule denies the scope {scope}")
        if scope == "run":
            return allow(f"{rule}.run", "it ends with the run")
        if scope in self.names:
            return allow("grant.state", f"the scope {scope} was granted")
        if self.mode == "all" or (self.mode == "own" and scope == "spell"):
            return allow(f"{rule}.{self.mode}", f"the profile allows the scope {scope}")
        return deny(
            f"{rule}.{scope}",
            f"the profile {self.profile} does not grant the scope {scope}",
            allow_flag("allow-state", scope),
        )


def _listed(name: str, patterns: tuple[str, ...]) -> bool:
    return any(matches(compile_glob(pattern), name) for pattern in patterns)
