"""What faults are made of, one file for each way of acting on the world."""
