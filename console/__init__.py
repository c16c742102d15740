"""The lane console: a mesh as one page, live, and on one machine a hand on it."""
