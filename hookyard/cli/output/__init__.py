"""What commands print: tables, text, JSON, times, and the terminal they go to. Pure but for the last."""
