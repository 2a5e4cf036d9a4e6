"""One module for each exhibit: `ROUTES`, and `open()` where something has to be there first.

Where `FIXED` is asked, the repaired way comes first and the bug right below it.
"""
