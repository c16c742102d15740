"""The lane of a request: read from baggage, kept through a process, carried to the next service."""
