"""The rows of the table: what each measures, what is to be reached, and beside whom."""
