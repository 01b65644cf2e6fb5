"""What arguments must be, alone and together; read by `essmc validate`, which imports nothing heavy."""
