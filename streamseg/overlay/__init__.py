"""Draws the objects of a frame: ``painter.Painter``."""
