"""Work on a store that no server runs on: checking, restoring and salvaging it."""
