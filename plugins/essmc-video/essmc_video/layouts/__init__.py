"""Layouts of files whose tensors our video networks take: EssentialMC2's own, and those that key maps translate."""
