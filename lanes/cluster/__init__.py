"""A namespace of a cluster as a store of lanes; `api` and `connect` alone know the `kubernetes` client."""
