from __future__ import annotations

import base64
import os

import pytest

from pipelines.batch.matching.image_files import Picture, Pictures, read_picture
from pipelines.core.image import LocalImage, load, reference_to

FILM = "prompt,model,image_url\na cat,film-1,"


def test_a_local_file_is_named_with_its_hash(plan, picture, tmp_path):
    """So that another picture under the same name is another order; paths begin at the batch file."""
    picture("in/my cat.png")
    order = plan("prompt,image\na,in/my cat.png\n").jobs[0].order

    assert order.image_urls == (reference_to("in/my cat.png", LocalImage.read(tmp_path / "in" / "my cat.png")),)
    picture("in/my cat.png", kind="WEBP")
    assert plan("prompt,image\na,in/my cat.png\n").jobs[0].order.fingerprint() != order.fingerprint()


def test_absolute_paths_and_those_at_home_work_too(plan, picture, tmp_path, monkeypatch):
    """As in a shell."""
    monkeypatch.setenv("HOME", str(tmp_path))
    picture("cat.png")
    jobs = plan(f"prompt,image_url\na,{tmp_path}/cat.png\nb,~/cat.png\n").jobs

    assert [load(job.order.image_urls[0], tmp_path).width for job in jobs] == [1280, 1280]


def test_several_pictures_of_all_kinds_in_one_cell(plan, picture):
    """Addresses, files and pictures written out, in their order."""
    raw = picture("a cat.jpg", kind="JPEG")
    written_out = f"data:image/jpeg;base64,{base64.b64encode(raw).decode()}"
    found = plan(f'prompt,image_url\na,https://a.example/1.png | a cat.jpg\nb,"a cat.jpg|{written_out}"\n').jobs

    assert found[0].order.image_urls[0] == "https://a.example/1.png"
    assert found[0].order.image_urls[1].startswith("file:a cat.jpg#sha256=")
    assert found[1].order.image_urls[1] == written_out


def test_each_file_is_read_once(picture, tmp_path):
    """A campaign shows the same product in every row."""
    picture("cat.png")
    pictures = Pictures(tmp_path)
    first = pictures.of(("cat.png", "cat.png"))
    (tmp_path / "cat.png").unlink()

    assert pictures.of(("cat.png", "cat.png")) == first
    assert first[1] == []


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("cat.png", '"cat.png" is neither a file that is there nor an https:// address.'),
        ("folder", '"folder" is no file.'),
        ("text.png", '"text.png" is no JPEG, PNG or WebP picture.'),
        ("huge.png", '"huge.png" is larger than 20 MB.'),
        ("pipe", '"pipe" is no file.'),
        ("~nobody-of-that-name/x.png", "is no path."),
        ("x" * 5000, "is no path."),
        ("data:image/png;base64,AAAA", "is no JPEG, PNG or WebP picture."),
        ("data:text/plain,hello", "is no picture in base64."),
        ("file:///etc/hosts", "is not an http or https address."),
    ],
)
def test_what_cannot_be_read_is_refused(refused, tmp_path, name, words):
    """With the row, the column and the reason; nothing hangs on a pipe."""
    (tmp_path / "folder").mkdir()
    (tmp_path / "text.png").write_text("hello")
    os.mkfifo(tmp_path / "pipe")
    with (tmp_path / "huge.png").open("wb") as file:
        file.truncate(21 * 1024 * 1024)
    (problem,) = refused(f"version: 1\njobs:\n  - prompt: a\n    image_url: ['{name}']\n", "yaml")

    assert 'job 1 (line 3), "image_url"' in problem
    assert words in problem


@pytest.mark.parametrize(
    ("pixels", "fix"), [((720, 1280), "Give the size 720x1280."), ((800, 600), "Make the picture 1280x720.")]
)
def test_t23_a_picture_must_have_the_pixels_of_the_clip_where_the_provider_wants_it(refused, picture, pixels, fix):
    """Both sizes are named, and the size that would fit where the provider has it."""
    picture("cat.png", *pixels)
    (problem,) = refused("prompt,image_url\na,cat.png\n")

    assert 'row 1 (line 2), column "image_url"' in problem
    assert (
        f'"cat.png" has {pixels[0]}x{pixels[1]} pixels and the size is 1280x720; lab wants them equal. {fix}' in problem
    )


def test_t23_where_the_pixels_are_right_or_need_not_be_nothing_is_said(plan, picture):
    """A mode without that rule takes any picture."""
    picture("tall.png", 720, 1280)
    text = "prompt,image_url,size,model\na,tall.png,720x1280,\nb,tall.png,,film-1\n"
    assert len(plan(text).jobs) == 2


@pytest.mark.parametrize("reference", ["cat.png", "data"])
def test_t22_a_provider_that_opens_addresses_only_takes_no_file(refused, picture, reference):
    """Nor a picture that is written out."""
    raw = picture("cat.png")
    given = f"data:image/png;base64,{base64.b64encode(raw).decode()}" if reference == "data" else reference
    (problem,) = refused(f'prompt,image_url\na,"{given}"\n', provider="yard")

    assert 'column "image_url": yard takes addresses of pictures only. Put the picture on a public https://' in problem


def test_t22_a_provider_that_takes_pictures_only_opens_no_address(plan, refused, picture):
    """It wants the bytes, from a file or written out."""
    raw = picture("cat.png")
    (problem,) = refused(FILM + "https://a.example/1.png\n")
    assert 'column "image_url": lab film opens no addresses of pictures.' in problem

    assert plan(FILM + "cat.png\n").jobs
    assert plan(FILM + f'"data:image/png;base64,{base64.b64encode(raw).decode()}"\n').jobs


def test_a_picture_that_cannot_be_read_is_the_only_problem(refused):
    """It is not missing besides, where the mode needs one."""
    assert len(refused("prompt,image_url\na,cat.png\n")) == 1


def test_a_character_is_an_address(refused):
    """The provider opens it."""
    (problem,) = refused("prompt,character_url,character_start,character_end\na,hero.mp4,0,2\n")

    assert 'column "character_url"' in problem
    assert "is not an http or https address" in problem


def test_a_picture_is_read_from_the_folder_of_the_batch_or_from_the_cell(picture, tmp_path):
    """With its pixels; a folder or a wrong path gives what to say of it."""
    raw = picture("cat.png")
    read = read_picture("cat.png", tmp_path)
    assert isinstance(read, Picture)
    assert (read.pixels, read.is_local) == ((1280, 720), True)
    written_out = f"data:image/png;base64,{base64.b64encode(raw).decode()}"
    assert read_picture(written_out, tmp_path).reference == written_out
    assert read_picture(".", tmp_path).what.endswith("is no file.")
    assert read_picture("~nobody-of-this-name/cat.png", tmp_path).what.endswith("is no path.")
