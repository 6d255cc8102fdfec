"""What the stages share: the split, targets cached and live, the training loop, and stage one."""
