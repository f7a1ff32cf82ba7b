"""What is known of buckets, objects, uploads and tenants, in SQL.

Law: one implementation (`sql`) over a small `Database` protocol; adapters connect, run and
translate errors, nothing more.
"""
