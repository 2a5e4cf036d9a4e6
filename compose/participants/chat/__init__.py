"""The chat service of reference system A: who takes part in which chat, with cached counts."""
