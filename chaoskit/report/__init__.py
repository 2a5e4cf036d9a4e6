"""Reports: the result document and one renderer per file.

`result` is the document; `junit`, `summary` and `terminal` render it and `schema` describes it.
Every renderer is a pure function of results, so that a stored run can be rendered again.
"""
