"""Data sources: named sets, folders of pictures, files, arrays."""

import io
import struct
import warnings

import numpy as np
import pytest
from PIL import ExifTags, Image, ImageOps

from zoo import data, subjects
from zoo.pictures import to_array


@pytest.fixture
def folder(tmp_path):
    """Two classes of pictures of several sizes, modes and formats."""
    for name, colour in (("shoe", (255, 0, 0)), ("hat", (0, 0, 255))):
        (tmp_path / name).mkdir()
        Image.new("RGB", (20, 12), colour).save(tmp_path / name / "wide.png")
        Image.new("RGB", (9, 31), colour).save(tmp_path / name / "tall.jpg")
        Image.new("RGBA", (8, 8), (*colour, 255)).save(tmp_path / name / "clear.png")
    (tmp_path / "notes.txt").write_text("not a picture")
    return tmp_path


def test_folder_labels_resizes_and_recolours(folder):
    images = data.load(f"folder:{folder}").resized((8, 8, 3))
    assert len(images) == 6
    assert images.class_names == ["hat", "shoe"]
    np.testing.assert_array_equal(images.labels, [0, 0, 0, 1, 1, 1])
    pixels = images[np.arange(6)]
    assert pixels.shape == (6, 8, 8, 3)
    assert pixels[:3, ..., 2].min() > 250, "hats are blue"
    assert pixels[3:, ..., 0].min() > 250, "shoes are red"
    grey = images.resized((8, 8, 1))[np.array([3])]
    np.testing.assert_allclose(grey, 0.299 * 255, atol=1)


def test_a_flat_folder_has_no_labels(folder):
    images = data.load(f"folder:{folder / 'hat'}")
    assert len(images) == 3
    assert images.labels is None


def test_resizing_crops_to_the_aspect_ratio():
    wide = np.zeros((2, 4, 12, 1), np.uint8)
    wide[:, :, 4:8] = 200
    middle = data.ArrayImages(wide).resized((4, 4, 1))
    np.testing.assert_array_equal(middle[np.arange(2)], 200)
    same = data.ArrayImages(wide)
    assert same.resized((4, 12, 1)) is same


def test_images_know_their_source(tmp_path, folder, small_sets, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    np.savez(tmp_path / "own.npz", images=np.zeros((8, 4, 4, 1), np.uint8))
    for source in ("npz:~/own.npz", "folder:~/hat", "cifar10"):
        images, _ = data.split(data.load(source).resized((8, 8, 3)), 0.1, seed=0)
        assert images.source == source
    assert data.as_images(np.zeros((8, 4, 4, 1), np.uint8)).source == "array"


def test_npz(tmp_path, pictures):
    path = tmp_path / "set.npz"
    np.savez(path, images=pictures, labels=np.arange(24))
    images = data.load(f"npz:{path}")
    np.testing.assert_array_equal(images[np.array([3, 1])], pictures[[3, 1]])
    np.testing.assert_array_equal(images.labels, np.arange(24))


def test_bad_sources_say_what_is_wrong(tmp_path):
    (tmp_path / "empty").mkdir()
    np.savez(tmp_path / "other.npz", pixels=np.zeros(3))
    np.savez(tmp_path / "floats.npz", images=np.zeros((2, 8, 8, 1)))
    (tmp_path / "text.npz").write_text("text")
    (tmp_path / "none.npz").write_bytes(b"")
    np.save(tmp_path / "array.npy", np.zeros(3))
    (tmp_path / "array.npy").rename(tmp_path / "array.npz")
    np.savez_compressed(tmp_path / "whole.npz", images=np.zeros((9, 8, 8, 1), np.uint8))
    content = bytearray((tmp_path / "whole.npz").read_bytes())
    (tmp_path / "torn.npz").write_bytes(content[: len(content) // 2])
    content[60] ^= 255
    (tmp_path / "flipped.npz").write_bytes(content)
    central = (tmp_path / "whole.npz").read_bytes().rindex(b"PK\1\2")
    for name, offset, value in (("encrypted", 8, 1), ("compressed", 10, 99)):  # of its header
        content = bytearray((tmp_path / "whole.npz").read_bytes())
        content[central + offset] = value
        (tmp_path / f"{name}.npz").write_bytes(content)
    (tmp_path / "bad").mkdir()
    (tmp_path / "bad" / "broken.png").write_bytes(b"\x89PNG no more")
    cases = {
        "mnist": (ValueError, "no data source 'mnist'; accepted are fashion_mnist, cifar10"),
        f"folder:{tmp_path}/none": (FileNotFoundError, "There is no folder"),
        f"folder:{tmp_path}/empty": (FileNotFoundError, "There are no pictures"),
        f"npz:{tmp_path}/no.npz": (FileNotFoundError, "There is no file"),
        f"npz:{tmp_path}/other.npz": (ValueError, "uint8 array `images`: it holds pixels"),
        f"npz:{tmp_path}/floats.npz": (ValueError, "Images must be uint8"),
    }
    for name in ("text", "none", "array", "torn", "flipped", "encrypted", "compressed"):
        cases[f"npz:{tmp_path}/{name}.npz"] = (ValueError, "must be an .npz file")
    for source, (kind, message) in cases.items():
        with pytest.raises(kind, match=message) as caught:
            data.load(source)
        assert "pickle" not in str(caught.value)
    with pytest.raises(ValueError, match="whole.npz' has no 'test' split; all its images are for"):
        data.load(f"npz:{tmp_path}/whole.npz", "test")
    with pytest.raises(ValueError, match="broken.png' is not a readable picture"):
        data.load(f"folder:{tmp_path}/bad").resized((8, 8, 1))[np.array([0])]


def test_a_damaged_header_and_a_picture_too_large_to_be_meant(tmp_path, monkeypatch):
    Image.new("L", (8, 8)).save(tmp_path / "a.png")
    content = bytearray((tmp_path / "a.png").read_bytes())
    content[content.index(b"IDAT")] ^= 255
    (tmp_path / "a.png").write_bytes(content)
    Image.new("L", (9, 9)).save(tmp_path / "b.png")
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 40)
    images = data.load(f"folder:{tmp_path}").resized((8, 8, 1))
    for i, name in enumerate("ab"):
        with pytest.raises(ValueError, match=f"{name}.png' is not a readable picture"):
            images[np.array([i])]


def test_photographs_are_upright(tmp_path):
    """The camera was held on its side: it says so, and turns no pixel."""
    picture = np.zeros((16, 32), np.uint8)
    picture[:, :16] = 200  # the left half becomes the upper one
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = 6
    Image.fromarray(picture).save(tmp_path / "a.png", exif=exif)
    (image,) = data.load(f"folder:{tmp_path}").resized((32, 16, 1))[np.array([0])]
    np.testing.assert_array_equal(image[:16], 200)
    np.testing.assert_array_equal(image[16:], 0)
    assert subjects.open_subject(str(tmp_path)).shape == (32, 16, 1)


def test_a_camera_that_writes_odd_exif(tmp_path):
    """Only the orientation is read: what else Pillow finds wrong there matters to nobody."""
    width = struct.pack("<HHL4s", ExifTags.Base.ImageWidth, 2, 4, b"odd")  # text, not a number
    turned = struct.pack("<HHLL", ExifTags.Base.Orientation, 3, 1, 6)
    exif = b"Exif\0\0II*\0" + struct.pack("<LH", 8, 2) + width + turned + bytes(4)
    Image.new("L", (16, 32), 200).save(tmp_path / "a.jpg", exif=exif)
    (image,) = data.load(f"folder:{tmp_path}").resized((16, 32, 1))[np.array([0])]
    np.testing.assert_array_equal(image, 200)


@pytest.mark.parametrize("transpose", [0, *Image.Transpose])
def test_every_orientation_is_undone_as_pillow_undoes_it(transpose):
    picture = Image.fromarray(np.arange(0, 240, 10, np.uint8).reshape(4, 6))
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = int(transpose) + 2
    file = io.BytesIO()
    picture.save(file, "png", exif=exif)
    with Image.open(file) as opened:
        upright = ImageOps.exif_transpose(opened)
        shape = (upright.height, upright.width, 1)
        np.testing.assert_array_equal(to_array(opened, shape)[..., 0], np.asarray(upright))


def test_sixteen_bits_become_eight(tmp_path):
    levels = np.linspace(0, 65535, 64).astype(np.uint16).reshape(8, 8)
    Image.fromarray(levels).save(tmp_path / "a.png")
    for channels in (1, 3):
        (image,) = data.load(f"folder:{tmp_path}").resized((8, 8, channels))[np.array([0])]
        np.testing.assert_array_equal(image, np.repeat(levels[..., None] // 257, channels, -1))
    assert subjects.open_subject(str(tmp_path)).shape == (8, 8, 1)
    with pytest.raises(ValueError, match="its pixels are of F, 32 bits each, not 8 or 16"):
        to_array(Image.new("F", (8, 8)), (8, 8, 1))


@pytest.mark.parametrize("size", [(28, 28, 1), (44, 60, 1)])
def test_no_size_is_refused_for_rounding(size):
    for side in (29, 57, 58, 92, 116, 123, 225, 450):
        for width, height in ((side, side), (side, side + 7), (side + 7, side)):
            image = to_array(Image.new("L", (width, height), 9), size)
            np.testing.assert_array_equal(image, 9)


def test_labels_are_not_ignored(pictures):
    images = data.ArrayImages(pictures, np.zeros(24, int))
    with pytest.raises(ValueError, match="a data source has its own"):
        data.as_images(images, np.arange(24))


def test_a_split_leaves_images_to_train_on(pictures):
    with pytest.raises(ValueError, match="0.99 of 24 images leaves none to train on"):
        data.split(data.ArrayImages(pictures), 0.99, 0)


@pytest.mark.parametrize(
    ("images", "labels", "message"),
    [
        (np.zeros((2, 8, 8, 2), np.uint8), None, "uint8 of shape"),
        (np.zeros((0, 8, 8, 1), np.uint8), None, "the array is empty"),
        (np.zeros((2, 8, 8, 1), np.uint8), [1], "Labels must be 2 integers"),
        (np.zeros((2, 8, 8, 1), np.uint8), [0.5, 1], "Labels must be 2 integers"),
        (
            np.zeros((2, 8, 8, 1), np.uint8),
            [0, 2**33],
            "count classes from 0, but one is 8589934592",
        ),
        (np.zeros((2, 0, 0, 1), np.uint8), None, r"but are uint8 of shape \(2, 0, 0, 1\)"),
        (
            np.zeros((8, 8, 3), np.uint8),
            None,
            r"\(N, H, W, 3\), but are uint8 of shape \(8, 8, 3\)",
        ),
    ],
)
def test_bad_arrays_are_refused(images, labels, message):
    with pytest.raises(ValueError, match=message):
        data.ArrayImages(images, labels)


def test_a_picture_beside_the_classes_is_named(folder):
    (folder / "hat" / "wide.png").rename(folder / "loose.png")
    images = data.load(f"folder:{folder}")
    with pytest.raises(ValueError, match="class subfolders, or `y`., but 'loose.png' lies in none"):
        data.check_labelled(images, 2)


def test_text_is_no_image():
    with pytest.raises(ValueError, match="zoo.data.load..folder:mine..."):
        data.as_images("folder:mine")


def test_what_systems_leave_in_a_folder_is_no_picture_and_no_class(folder):
    picture = (folder / "hat" / "wide.png").read_bytes()
    (folder / ".ipynb_checkpoints").mkdir()
    (folder / ".ipynb_checkpoints" / "wide-checkpoint.png").write_bytes(picture)
    (folder / "hat" / "._wide.png").write_bytes(b"Mac OS X")
    images = data.load(f"folder:{folder}")
    assert images.class_names == ["hat", "shoe"]
    assert len(images) == 6


def test_linked_classes_are_classes_and_loops_of_links_end(folder, tmp_path_factory):
    links = tmp_path_factory.mktemp("links")
    (links / "own").mkdir()
    (links / "own" / "a.png").symlink_to(folder / "hat" / "wide.png")
    for name in ("hat", "shoe"):
        (links / name).symlink_to(folder / name)
    (links / "own" / "loop").symlink_to(links)
    images, real = data.load(f"folder:{links}"), data.load(f"folder:{folder}")
    assert images.class_names == ["hat", "own", "shoe"]
    assert len(images) == len(real) + 1


def test_transparent_is_white_whatever_lies_beneath(tmp_path):
    pixels = np.zeros((2, 2, 4), np.uint8)
    pixels[0] = (200, 0, 0, 255), (255, 0, 255, 0)
    pixels[1] = (0, 0, 0, 128), (0, 200, 0, 255)
    Image.fromarray(pixels).save(tmp_path / "logo.png")
    seen = data.load(f"folder:{tmp_path}").resized((2, 2, 3))[np.array([0])][0]
    expected = [[(200, 0, 0), (255, 255, 255)], [(127, 127, 127), (0, 200, 0)]]
    np.testing.assert_array_equal(seen, expected)


def test_the_home_folder_is_found(folder, monkeypatch):
    monkeypatch.setenv("HOME", str(folder))
    np.savez(folder / "images.npz", images=np.zeros((3, 4, 4, 1), np.uint8))
    assert len(data.load("folder:~/shoe")) == 3
    assert len(data.load("npz:~/images.npz")) == 3


def test_classes_without_images_are_told():
    images = data.ArrayImages(np.zeros((2, 4, 4, 1), np.uint8), np.array([0, 2]))
    with pytest.warns(
        UserWarning,
        match="has 4 classes .num_classes., .* is of class 1, 3; num_classes=3",
    ):
        data.warn_of_missing_classes(images, 4)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        data.warn_of_missing_classes(images, 0)
        data.warn_of_missing_classes(data.ArrayImages(images.images, np.array([0, 1])), 2)
