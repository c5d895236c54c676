"""Stable prefix of partial transcripts."""

import pytest

from graphs.live.local_agreement import LocalAgreement, PartialTranscript

pytestmark = pytest.mark.unit


def pushed(*hypotheses: str) -> list[tuple[str, str]]:
    agreement = LocalAgreement()
    return [(partial.text, partial.stable) for partial in map(agreement.push, hypotheses)]


def test_words_are_stable_when_two_consecutive_hypotheses_agree_on_them() -> None:
    assert pushed("I am on", "I am on my way", "I am on Monday the", "I am on my way to see") == [
        ("I am on", ""),
        ("I am on my way", "I am on"),
        ("I am on Monday the", "I am on"),
        ("I am on my way to see", "I am on"),
    ]


def test_the_last_word_may_be_cut_off_and_is_never_stable() -> None:
    assert [stable for _, stable in pushed("please sit", "please sit", "please sit", "please sit down")] == [
        "",
        "please",
        "please",
        "please sit",
    ]


def test_case_and_punctuation_do_not_tell_words_apart_and_the_newer_form_is_kept() -> None:
    assert pushed("Thank you...", "Thank you. Are", "thank you are you") == [
        ("Thank you...", ""),
        ("Thank you. Are", "Thank you."),
        ("Thank you. are you", "Thank you. are"),
    ]


def test_stable_words_stay_though_a_later_hypothesis_has_others_for_them() -> None:
    partials = pushed("it was every day then", "it was every day then and", "it was everyday then and so it went")
    assert partials[1] == ("it was every day then and", "it was every day then")
    assert partials[2] == ("it was every day then and so it went", "it was every day then and")


@pytest.mark.parametrize("hypothesis", ["", "No", "Something else altogether"])
def test_a_hypothesis_that_has_lost_the_beginning_leaves_the_stable_words(hypothesis: str) -> None:
    agreement = LocalAgreement()
    agreement.push("one two three")
    agreement.push("one two three four")
    partial = agreement.push(hypothesis)
    assert partial.stable == "one two three"
    assert partial.text.startswith("one two three")


def test_scripts_without_spaces_are_compared_sign_by_sign() -> None:
    assert pushed("今日は天", "今日は天気が", "今日は天気がいい")[1:] == [
        ("今日は天気が", "今日は天"),
        ("今日は天気がいい", "今日は天気が"),
    ]


def test_stable_text_only_grows_and_begins_every_later_text() -> None:
    hypotheses = ["a", "a b", "b c", "a b c d", "a b c e f", "", "a x c e f g", "a b c e f g h"]
    agreement = LocalAgreement()
    before = PartialTranscript("", "")
    for hypothesis in hypotheses:
        partial = agreement.push(hypothesis)
        assert partial.stable.startswith(before.stable)
        assert partial.text.startswith(partial.stable)
        before = partial
    assert before.stable
