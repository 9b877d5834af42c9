"""When this process began, as nearly as it can be told: commands import this first."""

import time

STARTED = time.monotonic()
