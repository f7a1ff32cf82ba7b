"""The gRPC front.

Law: an interpreter of operations; it knows no rule and no store. What it answers with is the
service's output or its error, in the codec's words.
"""
