"""The generated modules of the protobuf package `lightningstor.v1`.

Law: everything here but this file is generated from `proto/` and never edited.
"""
