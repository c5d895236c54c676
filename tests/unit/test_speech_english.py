"""English texts as they are read aloud."""

# ruff: noqa: RUF001 - dashes and signs
import pytest

from models.speech.normalisation import normalise

pytestmark = pytest.mark.unit

READINGS = [
    ("It is 12/04/1961.", "It is December fourth, nineteen sixty-one."),
    ("It is 25/12/2023.", "It is December twenty-fifth, twenty twenty-three."),
    ("2024-05-17", "May seventeenth, twenty twenty-four"),
    ("on 12 April 1961", "on the twelfth of April nineteen sixty-one"),
    ("On Jan. 5th, 2020 we met.", "On January fifth, twenty twenty we met."),
    ("July 4, 1776", "July fourth, seventeen seventy-six"),
    ("April 1961", "April nineteen sixty-one"),
    ("I may 5 times", "I may five times"),
    ("In 1961, 1900 and 2000s", "In nineteen sixty-one, nineteen hundred and two thousands"),
    ("the 1990s", "the nineteen nineties"),
    ("at 10:30 am", "at ten thirty AM"),
    ("at 7:05 p.m.", "at seven oh five PM."),
    ("at 9 a.m. and 5 pm", "at nine AM and five PM"),
    ("from 9:00 to 17:30", "from nine o'clock to seventeen thirty"),
    ("Dr. Smith lives on Main St. in St. Louis.", "Doctor Smith lives on Main Street in Saint Louis."),
    ("Mr. and Mrs. Jones vs. Prof. Lee, Jr.", "Mister and Missus Jones versus Professor Lee, Junior."),
    ("e.g. this, i.e. that, etc.", "for example this, that is that, et cetera."),
    ("No. 5 is best. No. I won't.", "number five is best. No. I won't."),
    ("pp. 3-4, p. 7, #1", "pages three to four, page seven, number one"),
    ("3.5 km in 1 h", "three point five kilometers in one hour"),
    ("60 mph, 100 km/h", "sixty miles per hour, one hundred kilometers per hour"),
    ("5 ft 3 in, 10 km²", "five feet three inches, ten square kilometers"),
    ("about 5 in 10 people", "about five in ten people"),
    ("-5 °C, 72°F", "minus five degrees Celsius, seventy-two degrees Fahrenheit"),
    ("5kg, 16 GB", "five kilograms, sixteen gigabytes"),
    ("$5.20, $5 million", "five dollars twenty cents, five million dollars"),
    ("$20k, €3bn", "twenty thousand dollars, three billion euro"),
    ("1,250 people", "one thousand two hundred and fifty people"),
    ("the 2nd, 50%, .5", "the second, fifty percent, zero point five"),
    ("5-7 days, 20-30%", "five to seven days, twenty to thirty percent"),
    ("1914–1918", "nineteen fourteen to nineteen eighteen"),
    ("a 5-year-old, room 12-B", "a five year-old, room twelve B"),
    ("call 555-123-4567", "call five five five, one two three, four five six seven"),
    ("+1 (212) 555-1234", "plus one, two one two, five five five, one two three four"),
    ("1/2 cup, 2 1/2 cups, 3/4", "one half cup, two and a half cups, three quarters"),
    ("9/11", "nine eleven"),
    ("2 + 2 = 4", "two plus two equals four"),
    ("3 x 4, A+B, C++", "three times four, A plus B, C++"),
    ("Louis XIV, Chapter IV, plan I", "Louis the fourteenth, Chapter four, plan I"),
    ("World War II", "World War two"),
    ("the U.S. and the U.K.", "the U.S. and the U.K."),
    ("R&D, example.com", "R and D, example dot com"),
]


@pytest.mark.parametrize(("text", "expected"), READINGS)
def test_what_is_written_short_is_read_in_full_by_every_engine(text: str, expected: str) -> None:
    assert normalise(text, "en", spell_numbers=False) == expected
    assert normalise(expected, "en-us", spell_numbers=True) == expected


def test_a_date_of_numbers_is_day_first_where_people_write_it_so() -> None:
    assert normalise("12/04/1961", "en-us", spell_numbers=False) == "December fourth, nineteen sixty-one"
    assert normalise("12/04/1961", "en-gb", spell_numbers=False) == "the twelfth of April nineteen sixty-one"
    assert normalise("25/25/1961", "en-gb", spell_numbers=False).count("twenty-five") == 2


@pytest.mark.parametrize("unit", ["1", "5%", "12:3", "St. ", "May 1 ", "XIV", "e.g.", "5 km "])
def test_a_long_text_made_to_be_slow_is_read(unit: str) -> None:
    text = (unit * 20_000)[:20_000]
    assert len(normalise(text, "en", spell_numbers=False)) < 500_000
