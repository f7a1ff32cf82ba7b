"""The metadata copy: a second root that has every committed frame of SQLite's write-ahead log.

`format` is what its files look like, `folder` keeps them, `shipper` appends a commit, `generations`
makes and folds bases, `keeper` does so in the background, `restoring` makes a database of it.
"""
