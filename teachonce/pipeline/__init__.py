"""From a recipe to a plan (run, reuse or refuse, each with its reason), and from the plan to the run."""
