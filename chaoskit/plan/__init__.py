"""What a run is going to do, before it does anything."""
