from __future__ import annotations

import base64
import io

import pytest
from PIL import Image

from pipelines.core.errors import ImageUnusable
from pipelines.core.image import LocalImage, is_local, load, reference_to, shown_reference


@pytest.fixture
def cat():
    made = io.BytesIO()
    Image.new("RGB", (64, 48), "white").save(made, "WEBP")
    return made.getvalue()


def test_a_file_is_named_with_the_hash_of_its_bytes_and_found_again(tmp_path, cat):
    """Relative to the folder of the batch file; another picture under the name is another order."""
    (tmp_path / "cat.webp").write_bytes(cat)
    reference = reference_to("cat.webp", LocalImage.read(tmp_path / "cat.webp"))

    assert is_local(reference)
    found = load(reference, tmp_path)
    assert (found.data, found.type, found.width, found.height) == (cat, "image/webp", 64, 48)


def test_a_file_that_has_changed_is_not_sent(tmp_path, cat):
    """What was planned and priced is what is bought."""
    (tmp_path / "cat.webp").write_bytes(cat + b" ")
    reference = reference_to("cat.webp", LocalImage.read(tmp_path / "cat.webp"))
    (tmp_path / "cat.webp").write_bytes(cat)

    with pytest.raises(ImageUnusable, match="has changed"):
        load(reference, tmp_path)


def test_a_picture_written_out_is_sent_in_whatever_form_the_provider_takes(tmp_path, cat):
    """A data: address becomes the picture that it carries."""
    text = base64.b64encode(cat).decode()
    address = f"DATA:image/webp;base64,{text}"
    found = load(address, tmp_path)

    assert is_local(address)
    assert found.data == cat
    assert (found.base64(), found.data_url()) == (text, f"data:image/webp;base64,{text}")


def test_a_picture_written_out_does_not_fill_a_table():
    """The manifest names it by a hash; two pictures differ there, and addresses and files stay as they are."""
    first, second = (shown_reference(f"data:image/png;base64,{letter * 5000}") for letter in "AB")

    assert first.startswith("data:image/png;base64,(sha256 ")
    assert len(first) < 80
    assert first != second
    assert shown_reference("https://a.example/1.png") == "https://a.example/1.png"


def test_an_address_stays_an_address(tmp_path):
    """The provider opens it."""
    assert not is_local("https://a.example/1.png")
    assert load("https://a.example/1.png", tmp_path) == "https://a.example/1.png"


@pytest.mark.parametrize(
    ("address", "words"),
    [
        ("data:image/png,abc", "no picture in base64"),
        ("data:image/png;base64,###", "no picture in base64"),
        ("data:image/png;base64,aGVsbG8=", "no JPEG, PNG or WebP"),
        ("data:image/png;base64," + "A" * 29_000_000, "larger than 20 MB"),
    ],
    ids=["no base64", "broken", "no picture", "too large"],
)
def test_what_is_no_picture_is_refused(address, words):
    """With the reason."""
    with pytest.raises(ImageUnusable, match=words):
        LocalImage.decode(address)


def _reference(folder, name, data):
    (folder / name).write_bytes(data)
    return reference_to(name, LocalImage.read(folder / name))


def test_a_file_that_is_gone_or_broken_is_named(tmp_path, cat):
    """The message says which file, and why."""
    reference = _reference(tmp_path, "cat.webp", cat)
    (tmp_path / "cat.webp").unlink()
    with pytest.raises(ImageUnusable, match=r"cat\.webp cannot be read \(No such file"):
        load(reference, tmp_path)
    (tmp_path / "cat.webp").write_bytes(b"GIF89a")
    with pytest.raises(ImageUnusable, match=r"cat\.webp is no JPEG, PNG or WebP"):
        load(reference, tmp_path)


def test_a_file_that_is_put_back_can_be_sent_again(tmp_path, cat):
    """A refusal is not remembered: in the same process the picture that was planned with is good again."""
    reference = _reference(tmp_path, "cat.webp", cat)
    (tmp_path / "cat.webp").write_bytes(cat + b" ")
    with pytest.raises(ImageUnusable):
        load(reference, tmp_path)
    (tmp_path / "cat.webp").write_bytes(cat)
    assert load(reference, tmp_path).data == cat


def test_equal_names_in_two_folders_are_two_files(tmp_path, cat):
    """Many rows share a picture that is read once, and no other folder's picture is taken for it."""
    other = io.BytesIO()
    Image.new("RGB", (8, 8), "black").save(other, "PNG")
    folders = tmp_path / "a", tmp_path / "b"
    for folder in folders:
        folder.mkdir()
    first, second = _reference(folders[0], "x.png", cat), _reference(folders[1], "x.png", other.getvalue())
    assert load(first, folders[0]) is load(first, folders[0])
    assert load(second, folders[1]).width == 8
    with pytest.raises(ImageUnusable, match="has changed"):
        load(first, folders[1])


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
def test_the_bytes_decide_what_a_picture_is(tmp_path, kind):
    """The media type is that of the bytes, whatever the file is called, and pixels are counted."""
    made = io.BytesIO()
    Image.new("RGB", (30, 20), "red").save(made, kind)
    (tmp_path / "picture.txt").write_bytes(made.getvalue())
    found = LocalImage.read(tmp_path / "picture.txt")
    assert (found.type, found.width, found.height) == (f"image/{kind.lower()}", 30, 20)


def test_a_file_that_is_too_large_is_not_read(tmp_path):
    """Twenty megabytes is what the strictest vendor takes."""
    with (tmp_path / "large.png").open("wb") as file:
        file.truncate(20 * 1024**2 + 1)
    with pytest.raises(ImageUnusable, match="larger than 20 MB"):
        LocalImage.read(tmp_path / "large.png")


@pytest.mark.parametrize("name", ["a#sha256=b.png", "漢 字.png", "50%.png", "a b#c.png"])
def test_any_file_name_will_do(tmp_path, cat, name):
    """The name of a file may look like anything, also like the mark that ends it."""
    reference = _reference(tmp_path, name, cat)
    assert is_local(reference)
    assert load(reference, tmp_path).name == name
