"""The command line: `lightningstor`, a module for each family of commands."""
