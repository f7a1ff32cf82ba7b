"""LightningStor over gRPC: the stubs, the codec between them and the types, and the client.

Law: what a caller sees are the classes of `lightningstor_types`; protobuf and gRPC are how they
travel and stay inside.
"""

from __future__ import annotations

__version__ = "0.1.0"
