"""Drawing: figures of the data that the modules above this folder compute."""
