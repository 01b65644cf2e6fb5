"""What packs bring, installed or not: read from indexes, which `essmc index` writes."""
