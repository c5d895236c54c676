"""Russian texts as they are read aloud, and their stress marks."""

# ruff: noqa: RUF001 - Cyrillic letters and the IPA
import numpy as np
import pytest
from numpy.typing import NDArray

from models.speech.espeak_library import espeak_library
from models.speech.espeak_stress import IPA, MNEMONICS, move_stress
from models.speech.normalisation import normalise

pytestmark = pytest.mark.unit

READINGS = [
    ("Это 5 км отсюда.", "Это пять километров отсюда."),
    ("Мы прошли больше 5 км.", "Мы прошли больше пяти километров."),
    ("в 1961 году", "в тысяча девятьсот шестьдесят первом году"),
    ("12.04.1961", "двенадцатое апреля тысяча девятьсот шестьдесят первого года"),
    ("Полёт 12.04.1961 г. удался", "Полёт двенадцатого апреля тысяча девятьсот шестьдесят первого года удался"),
    ("К 1 сентября", "К первому сентября"),
    ("2024-05-17", "семнадцатого мая две тысячи двадцать четвёртого года"),
    ("с 1990 по 2000 год", "с тысяча девятьсот девяностого по двухтысячный год"),
    ("в 90-х годах", "в девяностых годах"),
    ("в 10:30", "в десять часов тридцать минут"),
    ("с 9:00 до 18:00", "с девяти часов до восемнадцати часов"),
    ("счёт 10:12", "счёт десять, двенадцать"),
    ("скидка 3,5 %", "скидка три целых пять десятых процента"),
    ("21% и 22%", "двадцать один процент и двадцать два процента"),
    ("№ 5, №7", "номер пять, номер семь"),
    ("XX век, в XIX веке", "двадцатый век, в девятнадцатом веке"),
    ("Пётр I и Екатерина II", "Пётр первый и Екатерина вторая"),
    ("глава IV", "глава четвёртая"),
    ("т. е. так, и т. д.", "то есть так, и так далее."),
    ("500 руб. 20 коп.", "пятьсот рублей двадцать копеек."),
    ("12 тыс. руб.", "двенадцать тысяч рублей."),
    ("$5 и €3,50", "пять долларов и три евро пятьдесят центов"),
    ("1,5 млн человек", "полтора миллиона человек"),
    ("1 234 567 человек", "один миллион двести тридцать четыре тысячи пятьсот шестьдесят семь человек"),
    ("-5 °C", "минус пять градусов Цельсия"),
    ("90 км/ч", "девяносто километров в час"),
    ("рост 180 см, вес 75 кг", "рост сто восемьдесят сантиметров, вес семьдесят пять килограмм"),
    ("25 кв. м", "двадцать пять квадратных метров"),
    ("от 5 до 7 дней", "от пяти до семи дней"),
    ("около 20 книг", "около двадцати книг"),
    ("1 яблоко, 2 книги и 21 окно", "одно яблоко, две книги и двадцать одно окно"),
    ("10-летний", "десятилетний"),
    ("1-й, 2-я, 3-го", "Первый, вторая, третьего"),
    ("2/3 стакана", "две трети стакана"),
    ("2 + 2 = 4", "два плюс два равно четыре"),
    ("2+2, а + б", "два плюс два, а плюс б"),
    ("г. Москва, ул. Ленина, д. 5", "город Москва, улица Ленина, дом пять"),
    (
        "тел. 8 (495) 123-05-67",
        "телефон восемь, четыреста девяносто пять, сто двадцать три, ноль пять, шестьдесят семь",
    ),
    ("+7 912 345-67-89", "плюс семь, девятьсот двенадцать, триста сорок пять, шестьдесят семь, восемьдесят девять"),
    ("ГИБДД и США", "Ги бэ дэ дэ и сэ шэ а"),
    ("iPhone", "айфоун"),
    ("Он сказал: «Привет, как дела?»", "Он сказал: «Привет, как дела?»"),
]


@pytest.mark.parametrize(("text", "expected"), READINGS)
def test_what_is_written_short_is_read_in_full_by_every_engine(text: str, expected: str) -> None:
    assert normalise(text, "ru", spell_numbers=False) == expected
    assert normalise(expected, "ru-ru", spell_numbers=True) == expected


@pytest.mark.parametrize("unit", ["1,", "5%", "12:3", "XIV ", "АБВ", "а+", "а\u0301", "слово "])
def test_a_long_text_made_to_be_slow_is_read(unit: str) -> None:
    text = (unit * 20_000)[:20_000]
    assert len(normalise(text, "ru", spell_numbers=False)) < 500_000


@pytest.mark.parametrize(
    ("text", "marked"),
    [
        ("старый з+амок и зам+ок", "старый з+амок и зам+ок"),
        ("за\u0301мок, 3 дома\u0301", "з+амок, три дом+а"),
        ("+Окна и утро", "+Окна и утро"),
        ("й\u0301од", "йод"),
    ],
)
def test_stress_marks_stay_for_an_engine_that_takes_them_and_go_for_others(text: str, marked: str) -> None:
    assert normalise(text, "ru", spell_numbers=False, stress_marks=True) == marked
    assert normalise(text, "ru", spell_numbers=False) == marked.replace("+", "")


@pytest.mark.parametrize(
    ("word", "phonemes"),
    [("з+амок", "zˈɑmʌk"), ("зам+ок", "zamˈok"), ("дом+а", "dʌmˈɑ"), ("+окна", "ˈokna"), ("ц+ена", "tsˈɛna")],
)
def test_espeak_puts_the_stress_where_it_is_marked(word: str, phonemes: str) -> None:
    assert espeak_library().phonemes(word, "ru") == phonemes
    assert espeak_library().phonemes(f"вот {word}, да", "ru").split()[1] == phonemes


def test_a_word_whose_vowels_are_not_its_letters_keeps_its_stress() -> None:
    assert move_stress("zam'ok", "з+амк", MNEMONICS) == "zam'ok"
    assert move_stress("zamˈok", "замк+", IPA) == "zamˈok"


def test_espeak_speaks_marked_words_and_nothing_that_looks_like_phonemes() -> None:
    def speech(text: str) -> NDArray[np.int16]:
        pieces: list[NDArray[np.int16]] = []
        espeak_library().speak(text, "ru", 175, lambda samples: pieces.append(samples) is None, seed=1)
        return np.concatenate(pieces)

    first, second = speech("з+амок"), speech("зам+ок")
    assert len(first) != len(second)
    assert len(speech("[[z]] з+амок")) > 1.5 * len(first)


def test_a_plus_in_another_language_is_no_mark_of_stress() -> None:
    assert espeak_library().phonemes("а+о", "bg") == espeak_library().phonemes("а + о", "bg")
