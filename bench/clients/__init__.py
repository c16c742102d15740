"""The programs that are measured: each a process of its own, told what to do in JSON, answering in JSON."""
