"""Reports: the result document (`judge.result`) for people and for CI, one renderer per file.

Every renderer is a pure function of results, so that a stored run can be rendered again.
"""
