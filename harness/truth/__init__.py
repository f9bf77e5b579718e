"""Where frames come from: files in The Well's format, and the embedded simulations."""
