"""What all tests share: nothing is taken from the cache of compiled programs, except where a test is about it."""

import os

os.environ["INTAGLIO_CACHE"] = "off"
