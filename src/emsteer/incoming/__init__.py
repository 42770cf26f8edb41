"""What people bring: files in the forms of the field become what a study reads, and nothing is left out silently."""
