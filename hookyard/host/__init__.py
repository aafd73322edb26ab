"""What runs in the process that imports the bot: finding its handlers and invoking them."""
