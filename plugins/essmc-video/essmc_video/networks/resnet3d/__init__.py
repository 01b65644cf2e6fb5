"""ResNet3D and the networks that configure it: R2D3D, R(2+1)D, ir-CSN and ip-CSN, TAda2D."""
