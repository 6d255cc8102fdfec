"""What trainings cost in multiply-accumulates, counted, beside what CIFD's paper says."""
