"""Draws docs/make-run.svg: what a running system says of the bundled dialogue.

``make run`` in one terminal, then ``python docs/make_run_picture.py URL KEY`` in another.
"""

import sys
from importlib.resources import as_file
from io import StringIO
from pathlib import Path

from rich.console import Console

from graphs.local.client import as_table, transcribe, voices_line
from models.samples import DIALOGUE

# Rich's own template loads a font from another host; this one takes what the viewer has.
TEMPLATE = """\
<svg class="rich-terminal" viewBox="0 0 {width} {height}" xmlns="http://www.w3.org/2000/svg">
<style>
.{unique_id}-matrix {{ font-family: monospace; font-size: {char_height}px; line-height: {line_height}px; }}
{styles}
</style>
<defs><clipPath id="{unique_id}-clip-terminal">
<rect x="0" y="0" width="{terminal_width}" height="{terminal_height}"/></clipPath>{lines}</defs>
{chrome}
<g transform="translate({terminal_x}, {terminal_y})" clip-path="url(#{unique_id}-clip-terminal)">
{backgrounds}
<g class="{unique_id}-matrix">{matrix}</g>
</g>
</svg>
"""


def main() -> None:
    """Transcribe the dialogue and draw the table."""
    url, key = sys.argv[1:]
    console = Console(record=True, width=92, file=StringIO(), force_terminal=True)
    with as_file(DIALOGUE) as sample:
        transcript = transcribe(url, key, sample, Console(file=StringIO()))
    console.print(as_table(transcript, f"dialogue.flac: {transcript['duration']:.1f} s, {transcript['language']}"))
    timings = ", ".join(f"{stage} {seconds:.1f} s" for stage, seconds in transcript["timings"].items())
    console.print(f"{len(transcript['speakers'])} speakers; {timings}")
    console.print(voices_line(transcript), highlight=False)
    picture = console.export_svg(title="make run", code_format=TEMPLATE, unique_id="run")
    (Path(__file__).parent / "make-run.svg").write_text(picture, encoding="utf-8")


if __name__ == "__main__":
    main()
