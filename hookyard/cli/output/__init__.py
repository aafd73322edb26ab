"""What commands print: tables, text, and the terminal they go to. Pure but for the last."""
