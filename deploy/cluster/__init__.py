"""Bookinfo in a cluster, seen and changed from outside it. Any cluster will do; kind is only one."""
