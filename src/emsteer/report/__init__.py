"""The report: one page that says what was asked, what was found, and what it does not say."""
