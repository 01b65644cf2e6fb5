"""torchvision's models as essmc backbones and zoo entries."""
