"""The one description of the script API: data only, and what is derived from it.

From it come the preludes' tables (`generate`), the broker's argument checks (`schema`) and the
reference docs. No service, no policy and no I/O lives here. `catalogue` is the whole, `lookup` one
function of it without importing the rest.
"""
