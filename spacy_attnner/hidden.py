"""Characters that are not shown, but control how others are."""

import re

# C0 and C1 controls, ends of lines, changes of direction, halves of surrogate pairs,
# and what is no character
HIDDEN = re.compile(
    "[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff\ufffe\uffff]"
)


def shown(text: str) -> str:
    """A text whose hidden characters are `�`, but for tabs and ends of lines.

    Joiners stay: words of Persian or Hindi and many emoji are written with them.
    """
    return HIDDEN.sub(
        lambda match: match[0] if match[0] in "\t\n\r" else "\ufffd", text
    )
