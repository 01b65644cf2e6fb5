"""What is installed: whether it is whole and works, and how it is changed with pip."""
