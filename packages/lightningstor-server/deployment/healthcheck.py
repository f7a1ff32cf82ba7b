"""Exit code 0 if the server on this machine is ready for requests, else 1 with a reason.

Law: the standard library alone, and one request with a deadline. The address is the loopback's, so
a certificate, which is made out to the outside's name, is not verified.
"""

# ruff: noqa: INP001 - a program by itself, in no package

from __future__ import annotations

import os
import ssl
import sys
import urllib.request
from typing import Final

URL_VARIABLE: Final = "LIGHTNINGSTOR_HEALTH_URL"
URL_DEFAULT: Final = "http://127.0.0.1:9002/health/ready"
TIMEOUT_SECONDS: Final = 4.0


def main() -> int:
    """Ask once."""
    url = os.environ.get(URL_VARIABLE, URL_DEFAULT)
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    # past every proxy of the environment
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=context))
    try:
        with opener.open(url, timeout=TIMEOUT_SECONDS):
            return 0
    except (OSError, ValueError) as error:
        sys.stderr.write(f"{url}: {error}\n")
        return 1


if __name__ == "__main__":
    sys.exit(main())
