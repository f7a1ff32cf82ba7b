"""The rules.

Law: every rule of LightningStor stands in this package and nowhere else, and every rule is reached
through `Service.call` alone. A family's inputs and outputs stand in the types package under the
same file name. Importing this package fills the operation table.
"""
