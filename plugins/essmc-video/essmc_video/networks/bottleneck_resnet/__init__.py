"""Residual networks of bottlenecks as pytorchvideo defines them: C2D, I3D, Slow, R(2+1)D."""
