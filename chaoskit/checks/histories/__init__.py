"""What each kind of history is read into, for the checks that judge it."""
