"""Signatures of images: what they say, who made them, and whether a policy is content with them."""
