"""How often a property that takes long is tried: less often than others, and more often where there is time for it."""

from hypothesis import settings

FEW = settings(max_examples=settings().max_examples // 2)
