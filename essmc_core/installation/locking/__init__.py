"""What pip needs to restore the packs of a model: found, given hashes, written, and compared with what is here."""
