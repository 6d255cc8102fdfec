"""Drawing: figures of the data that the modules of `teachonce.plots` compute."""
