"""The inputs and outputs of every operation, one file per family.

Law: a class here says what travels and nothing of how it is carried out. The rule of each stands
in the server's `service/` under the same file name.
"""
