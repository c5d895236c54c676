"""Text as people write it, made ready to be spoken."""

# ruff: noqa: RUF001 - the marks of many scripts look alike
import pytest

from models.speech.mandarin import spell
from models.speech.normalisation import normalise

pytestmark = pytest.mark.unit


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("**Bold**, _soft_ and `code`.", "Bold, soft and code."),
        ("snake_case and 3*4 stay", "snake_case and 3*4 stay"),
        ("See [the docs](https://a.b/c_d?x=1).", "See the docs."),
        ("![A cat](cat.png) sleeps", "A cat sleeps"),
        ("the docs](https://a.b/c) of a torn link", "the docs of a torn link"),
        ("Go to https://www.example.com/path?q=1. Now.", "Go to example.com. Now."),
        ("Mail bob.x@example.org!", "Mail bob Punkt x at example Punkt org!"),
        ("# Title", "Title"),
        ("- one", "one"),
        ("- [x] done", "done"),
        ("> quoted", "quoted"),
        ("| a | b |", "a, b"),
        ("```python\nx\n```", "x"),
        ("Hi 😀👍🏽❤️!", "Hi!"),
        ("a\x00\x01b\u200bc\u202ed", "abcd"),
        ("ｆｕｌｌ　ｗｉｄｔｈ", "full width"),
        ("<speak>Hi <break time='9s'/>there</speak> a < b", "Hi there a < b"),
        ("&lt;script&gt;Tom &amp; Anna", "Tom & Anna"),
        ("two\n\nlines", "two lines"),
        ("---", ""),
        ("😀", ""),
        ("", ""),
    ],
)
def test_what_is_written_for_the_eye_is_not_spoken(text: str, expected: str) -> None:
    assert normalise(text, "de", spell_numbers=False) == expected


def test_a_joiner_stays_between_the_letters_that_it_joins() -> None:
    assert normalise("می\u200cخواهم \u200c", "fa", spell_numbers=False) == "می\u200cخواهم"


@pytest.mark.parametrize(
    ("language", "text", "expected"),
    [
        ("en", "3.14", "three point one four"),
        (
            "en",
            "1,234,567 people",
            "one million two hundred and thirty-four thousand five hundred and sixty-seven people",
        ),
        ("en", "$3.50", "three dollars fifty cents"),
        ("en", "$5 million", "five million dollars"),
        ("en", "50%", "fifty percent"),
        ("en", "in 1984, the 21st", "in nineteen eighty-four, the twenty-first"),
        ("en", "-5°C", "minus five degrees Celsius"),
        ("en", "at 10:30", "at ten thirty"),
        ("en", "B2B", "B two B"),
        ("en", "v1.2.3", "v one two three"),
        ("en", "007", "zero zero seven"),
        ("en", "A & B", "A and B"),
        ("en-us", "2", "two"),
        ("en", "example.com", "example dot com"),
        ("ru", "1 234,50 ₽", "одна тысяча двести тридцать четыре рубля пятьдесят копеек"),
        ("ru", "1%, 3% и 5%", "один процент, три процента и пять процентов"),
        ("ru", "В 2024 году", "В две тысячи двадцать четвёртом году"),
        ("ru", "21-й дом № 5", "Двадцать первый дом номер пять"),
        ("ru", "2 млн", "два миллиона"),
        ("kk", "1500 ₸", "бір мың бес жүз теңге"),
        ("kk", "3,14", "үш бүтін он төрт"),
        ("de", "1.234,56 €", "eintausendzweihundertvierunddreißig Euro sechsundfünfzig Cent"),
        ("de", "3,5%", "drei Komma fünf Prozent"),
        ("es", "3 €", "tres euros"),
        ("tr", "%50", "yüzde elli"),
        ("tr", "3,05", "üç virgül sıfır beş"),
        ("ja", "1984年", "千九百八十四年"),
        ("zh", "圆周率是3.14。", "圆周率是三点一四。"),
        ("zh-cn", "2024年增长了50%", "二零二四年增长了百分之五十"),
        ("cmn", "零下-5度", "零下负五度"),
        ("zh", "$3.5，15个", "三点五美元, 十五个"),
        ("zh", "¥1,234", "一千二百三十四元"),
    ],
)
def test_numbers_become_words(language: str, text: str, expected: str) -> None:
    assert normalise(text, language, spell_numbers=True) == expected


def test_digits_stay_for_a_synthesiser_that_reads_them_and_where_no_words_are_known() -> None:
    assert normalise("3.14 & 50%", "de", spell_numbers=False) == "3.14 & 50%"
    assert normalise("100", "mi", spell_numbers=True) == "100"


def test_digits_without_end_are_read_one_by_one() -> None:
    words = normalise("9" * 500, "en", spell_numbers=True).split()
    assert words == ["nine"] * 500
    assert normalise("$" + "9" * 500, "en", spell_numbers=True).split()[:500] == ["nine"] * 500
    assert normalise("9" * 50, "zh", spell_numbers=True) == "九" * 50


@pytest.mark.parametrize(
    ("number", "expected"),
    [
        ("0", "零"),
        ("10", "十"),
        ("14", "十四"),
        ("101", "一百零一"),
        ("110", "一百一十"),
        ("1010", "一千零一十"),
        ("10010", "一万零一十"),
        ("100000", "十万"),
        ("120000003", "一亿二千万零三"),
        ("20.05", "二十点零五"),
    ],
)
def test_mandarin_numbers(number: str, expected: str) -> None:
    assert spell(number) == expected


@pytest.mark.parametrize(
    ("language", "text"),
    [
        ("am", "208732769"),
        ("te", "431279700179"),
        ("hu", "7.1541096"),
        ("ru", "0,000001"),
        ("ro", "$29.60 million"),
        ("vi", "R$88685"),
        ("ja", "¥95309.75"),
        ("en", "$" + ",".join(["999"] * 300)),
    ],
)
def test_numbers_that_num2words_can_not_say_do_no_harm(language: str, text: str) -> None:
    assert normalise(text, language, spell_numbers=True)


@pytest.mark.parametrize("unit", ["1,", "1.1", "$1", "[", "<a", "*", "http://a.", "a@"])
def test_a_text_made_to_be_slow_is_not(unit: str) -> None:
    assert len(normalise(unit * 2_000, "en", spell_numbers=True)) < 40_000
