"""Bytes, in immutable chunks.

Law: a chunk is written once under a random name that is never reused, and never changed.
"""
