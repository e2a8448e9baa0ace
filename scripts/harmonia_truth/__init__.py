"""Figures from outside beside ours: what scripts/validate reads, runs, judges and prints."""
