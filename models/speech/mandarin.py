"""Spoken Mandarin numbers."""

_DIGITS = "零一二三四五六七八九"
_PLACES = ("", "十", "百", "千")
_GROUPS = ("", "万", "亿", "万亿")
MAX_DIGITS = 4 * len(_GROUPS)


def spell(number: str) -> str:
    """Read a number: ``3.14`` is 三点一四.

    Args:
        number: ASCII digits, with at most one ``.`` among them.
    """
    whole, _point, fraction = number.partition(".")
    if len(whole) > MAX_DIGITS or (len(whole) > 1 and whole[0] == "0"):
        spoken = spell_digits(whole)
    else:
        spoken = _integer(int(whole or "0"))
    return f"{spoken}点{spell_digits(fraction)}" if fraction else spoken


def spell_digits(digits: str) -> str:
    """Read digit by digit, as years and telephone numbers are."""
    return "".join(_DIGITS[int(digit)] for digit in digits)


def _integer(number: int) -> str:
    if number == 0:
        return _DIGITS[0]
    groups: list[int] = []
    while number:
        number, group = divmod(number, 10_000)
        groups.append(group)
    spoken = ""
    skipped = False
    for index in reversed(range(len(groups))):
        group = groups[index]
        if group == 0:
            skipped = True
            continue
        if spoken and (skipped or group < 1000):
            spoken += _DIGITS[0]
        spoken += _group(group) + _GROUPS[index]
        skipped = False
    return spoken.removeprefix("一") if spoken.startswith("一十") else spoken


def _group(number: int) -> str:
    """Read 1 to 9999."""
    spoken = ""
    skipped = False
    for place in reversed(range(4)):
        digit = number // 10**place % 10
        if digit == 0:
            skipped = bool(spoken)
            continue
        spoken += (_DIGITS[0] if skipped else "") + _DIGITS[digit] + _PLACES[place]
        skipped = False
    return spoken
