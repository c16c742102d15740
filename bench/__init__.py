"""Every figure that README.md and docs/performance.md quote: measured beside its peers, in one run."""
