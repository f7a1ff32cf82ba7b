"""LightningStor's models, operations and errors.

Law: this package depends on attrs alone and does nothing. It names things, validates them at the
border, and says where each field travels; the fronts, the codec and the client interpret that.
"""

from __future__ import annotations

__version__ = "0.1.0"
