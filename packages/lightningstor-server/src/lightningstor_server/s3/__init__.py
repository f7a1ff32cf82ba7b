"""The S3 front: HTTP to operations and back.

Law: the front interprets operations and decides nothing. It routes from the raw path, parses bucket
and key once, authenticates before it routes, and hands on bodies that verify themselves.
"""
