"""What people see in a browser: the desk's pages (`app`), and the record of one announcement (`record`)."""
