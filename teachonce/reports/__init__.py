"""Reports: what runs, stores and benchmarks found, gathered into one page and written as HTML or Markdown."""
