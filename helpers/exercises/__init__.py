"""The checks of each chapter's exercises, one file a chapter; see ``helpers.checks``."""
