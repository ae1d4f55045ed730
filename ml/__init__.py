"""Reading handwritten digits: from a picture's bytes to the digits in it. No Django in here."""
