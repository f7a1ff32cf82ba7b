"""The examination of an endpoint from outside, as a client meets it.

Law: nothing is written to the endpoint and nothing is changed there; every wait has a deadline.
"""
