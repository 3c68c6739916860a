"""The native worker of `high` and the guests it runs, in C.

`worker/` is the program around a guest; `guests/` is the glue compiled into each engine; the build
hook turns both into files of `sandboxes/_built`. No Python runs here and no policy is decided.
"""
