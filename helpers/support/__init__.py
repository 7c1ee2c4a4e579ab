"""What every floor leans on: arguments checked, files written whole, progress shown."""
