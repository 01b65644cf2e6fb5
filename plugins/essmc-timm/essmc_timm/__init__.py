"""timm's models as essmc backbones."""
