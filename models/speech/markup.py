"""Removal of markup, addresses and symbols that can't be read aloud."""

# ruff: noqa: RUF001 - the marks of many scripts look alike
import html
import re
import unicodedata

from models.speech.symbol_words import SymbolWords

_LINK = re.compile(r"!?\[([^\[\]]{0,400})\]\([^()\s]{0,2000}(?:\s+\"[^\"]{0,400}\")?\)")
_TORN_LINK = re.compile(r"\]\([^()\s]{0,2000}\)|!?\[(?=[^\[\]]*$)")
_TAG = re.compile(r"</?[A-Za-z][^<>]{0,400}>")
_URL = re.compile(
    r"<?(?:https?|ftp)://(?:www\.)?([\w.-]{1,253})(?::\d+)?(?:[/?#](?:[^\s<>\"']*[\w/=&#-])?)?>?|<?\bwww\.([\w.-]{1,253})\S*>?"
)
_EMAIL = re.compile(r"<?\b([\w.+-]{1,64})@([\w-]{1,63}(?:\.[\w-]{1,63})+)\b>?")
_LINE_START = re.compile(r"^[ \t]{0,8}(?:#{1,6}[ \t]+|>+[ \t]?|(?:[-*+•◦▪–—][ \t]+)(?:\[[ xX]\][ \t]+)?)", re.MULTILINE)
_RULE = re.compile(r"^[ \t|:*_=-]{3,}$", re.MULTILINE)
_TABLE_ROW = re.compile(r"^[ \t]*\|(.{0,2000})\|[ \t]*$", re.MULTILINE)
_FENCE = re.compile(r"^[ \t]*(?:```|~~~)[\w+-]*[ \t]*$", re.MULTILINE)
_STRONG = re.compile(r"\*{2,3}|_{2,3}|~~|`{1,3}")
_EMPHASIS = re.compile(r"(?<![\w*])[*_](?=\S)|(?<=\S)[*_](?![\w*])")
_ESCAPE = re.compile(r"\\([\\`*_{}\[\]()#+.!~|>-])")
# In the form NFKC a comma of full width can't be told from the one inside a number.
_WIDE_COMMA = re.compile(r"，(?!(?<=\d，)\d{3}(?!\d))")
_SPACES = re.compile(r"[^\S\n]+")
# Joins letters in the scripts of Persia and India; elsewhere it is seen as little as other controls.
_JOINERS = "\u200c\u200d"


def readable(text: str, words: SymbolWords) -> str:
    """Take out what can't be read aloud: markup, controls, emoji, the tail of an address.

    Args:
        text: May be a part of a text whose marks begin or end outside of it.
        words: The language's words for what stands in addresses.

    Returns:
        Text in Unicode's form NFKC; an address of the web is its host's name.
    """
    text = _without_markup(html.unescape(text))
    text = _EMAIL.sub(lambda found: f" {_host(found[1], words)} {words.at} {_host(found[2], words)} ", text)
    text = _WIDE_COMMA.sub(", ", text.replace("№", f" {words.number or '№'} "))
    return _SPACES.sub(" ", _without_unspoken(unicodedata.normalize("NFKC", text)))


def _without_markup(text: str) -> str:
    text = _FENCE.sub("", text)
    text = _LINK.sub(r"\1", text)
    text = _TORN_LINK.sub("", text)
    text = _URL.sub(lambda found: f" {(found[1] or found[2]).rstrip('.')} ", text)
    text = _TAG.sub(" ", text)
    text = _RULE.sub("", text)
    text = _TABLE_ROW.sub(lambda row: ", ".join(cell.strip() for cell in row[1].split("|")), text)
    text = _LINE_START.sub("", text)
    text = _STRONG.sub("", text)
    text = _EMPHASIS.sub("", text)
    return _ESCAPE.sub(r"\1", text)


def _host(name: str, words: SymbolWords) -> str:
    return name.replace(".", f" {words.dot} ") if words.dot else name


def _without_unspoken(text: str) -> str:
    kept: list[str] = []
    for index, character in enumerate(text):
        category = unicodedata.category(character)
        if character == "\n" or character == "\t":
            kept.append(character)
        elif character in _JOINERS:
            around = text[index - 1 : index] + text[index + 1 : index + 2]
            kept.append(character if len(around) == 2 and around.isalpha() else "")
        elif category[0] == "C" or 0xFE00 <= ord(character) <= 0xFE0F:
            continue
        elif (category == "So" and character != "°") or 0x1F3FB <= ord(character) <= 0x1F3FF:
            kept.append(" ")
        else:
            kept.append(character)
    return "".join(kept)
