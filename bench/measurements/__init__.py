"""One module for each thing that is measured; ``measure`` gives the rows and what they were made of."""
