"""Lists of images: one name for the images of several platforms."""
