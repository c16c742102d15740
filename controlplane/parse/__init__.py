"""One file per kind: a document's fields to an object, with Istio's validation on the way."""
