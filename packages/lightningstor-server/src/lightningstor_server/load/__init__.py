"""A small S3 client over asyncio, and the load generator that is made of it.

Law: it speaks to any S3 server and knows nothing of ours; it imports no store, service or front.
"""
