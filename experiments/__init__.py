"""What makes the results that the repository keeps, for they take too long for every build."""
