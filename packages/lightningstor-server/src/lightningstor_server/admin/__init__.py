"""The admin address: health and metrics.

Law: nothing here needs a credential, so nothing here tells of buckets, objects or keys; of tenants it
tells names and how much they hold.
"""
