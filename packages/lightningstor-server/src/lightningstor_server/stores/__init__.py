"""Where metadata and bytes are kept.

Law: stores keep, they do not decide; rules live in `service/`. A driver's exception never leaves
this package: what can go wrong is named in `stores.errors`.
"""
