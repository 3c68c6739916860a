"""The provider process: the only one that holds keys of models, with litellm inside.

`home` starts it and talks to it; `main`, `serve`, `keys` and `fence` run in it. No verdict and no
budget live here, and no key comes back over the pipe: whatever leaves the process is masked there.
"""
