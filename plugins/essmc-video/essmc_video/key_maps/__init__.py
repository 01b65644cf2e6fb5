"""Key maps between our state dicts and other projects', as (regular expression, replacement) pairs."""
