"""The LightningStor server.

Law: dependencies run one way, `s3 | rpc | admin > service > stores | auth`; siblings do not import
each other, fronts never import stores, and `server` alone knows them all.
"""

from __future__ import annotations

__version__ = "0.1.0"
