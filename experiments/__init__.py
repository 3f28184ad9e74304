"""One script per question; each makes its table and its figure."""
