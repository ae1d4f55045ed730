"""What the finder's network answers at every fourth pixel."""

from ml.digits import DIGITS, MARKS

STRIDE = 4  # pixels
HEATS = 1 + len(MARKS) + 1  # logits of the middle of a digit, of each mark, of another sign
CLASSES = slice(HEATS, HEATS + DIGITS)  # logits of the digits
PLACES = slice(CLASSES.stop, CLASSES.stop + 4)
# To the middle of what stands here, in cells to the right and down; log(width, height) by:
TYPICAL_SIDE = 24.0  # pixels
SMALLER = PLACES.stop  # logit of writing that is too small to be read at this scale
OUTPUTS = SMALLER + 1
MIN_HEIGHT, MAX_HEIGHT = 10.0, 60.0  # pixels of digits that are found
