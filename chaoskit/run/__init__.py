"""One run, from plan to verdict."""
