"""Pictures and videos: taken in, checked, kept, made to fit, and made of headlines."""
