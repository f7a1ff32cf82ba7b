"""`python -m lightningstor_server`, and the entry point of the console script.

Law: nothing stands here but the way to the command line.
"""

from __future__ import annotations

from lightningstor_server.cli.main import main

if __name__ == "__main__":
    main()
