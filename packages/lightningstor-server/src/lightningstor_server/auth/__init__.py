"""Signatures and who they speak for.

Law: `canonical` and `sigv4` are pure: no clock, no network, no store.
"""
