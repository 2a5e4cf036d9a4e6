"""The museum: one well-known bug at a time, and its repaired twin."""
