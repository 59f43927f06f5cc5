"""The learned second stage: what makes good candidates a good page."""
