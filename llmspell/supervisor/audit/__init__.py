"""The record of a run: one JSON line per decision, chained by hash; writing, checking, showing.

Lives here: the record's form (`records`), the writer (`log`), its default place (`places`), the
checker (`verify`) and the reader (`show`). May not live here: any decision, or any secret's value.
"""
