"""base: problems, clock, ids, logs, counters; nothing about mail."""
