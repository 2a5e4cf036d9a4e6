"""`report.html`: one run as a page that needs no network and reads with scripts off.

What a run folder holds becomes plain records (`model`, filled by `lanes`, `findings` and
`stack_map`), which a template and `svg` write down. Same folder, same bytes.
"""
