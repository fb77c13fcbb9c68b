"""What can be said of the paper's numbers without its data, each computed by this version and held against its claim.

One file a topic, each with ``numbers() -> list[Number]``; ``collecting.py`` puts them in order, ``page.py`` writes them
down. The paper: Treneska et al., Sensors 2022, 22, 1599.
"""
