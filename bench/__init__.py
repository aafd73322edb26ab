"""How fast Hookyard is, measured side by side with what one could use instead. Nothing of ours imports it."""
