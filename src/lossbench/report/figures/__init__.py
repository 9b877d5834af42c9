"""The report's figures: groups of panels on common axes, with the numbers that they are drawn from."""
