"""Python reads this before anything else.

As PID 1 a process has no default action for SIGTERM: until a service handles it, which is after its imports,
the signal would be lost, and a Pod deleted in that time would wait out its whole grace period.
"""

import os
import signal
import sys

if os.getpid() == 1:
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))
