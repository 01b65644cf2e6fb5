"""S3D and S3D-G: Inception whose 3D convolutions are split into a spatial and a temporal one."""
