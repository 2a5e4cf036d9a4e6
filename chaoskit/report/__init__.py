"""Reports: the result document (`judge.result`) for people and for CI, one renderer per file;
`html` shows the whole record as a page.

Every renderer is a pure function of results, so that a stored run can be rendered again; the page
is one of its run folder.
"""
