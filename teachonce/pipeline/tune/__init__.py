"""`teachonce tune`: searches the settings of every variant of a recipe from one store, with as many trials each."""
