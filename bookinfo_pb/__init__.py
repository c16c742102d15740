"""The one place of the stubs generated from `proto/`; write them anew with `make proto`."""
