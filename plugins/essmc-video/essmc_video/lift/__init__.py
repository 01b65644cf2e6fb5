"""Lifts image backbones to video: per frame, with temporal shift, with adaptive calibration, or inflated."""
