"""The admin address: health and metrics.

Law: nothing here needs a credential, so nothing here tells of tenants, buckets or keys.
"""
