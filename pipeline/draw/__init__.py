"""The page "Draw a digit": the networks packed for the browser, and what they withstand."""
