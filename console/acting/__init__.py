"""Everything the console changes on the one-machine mesh, and what protects it."""
