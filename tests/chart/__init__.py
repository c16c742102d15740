"""The chart, rendered by the real Helm engine."""
