"""Whatever is sent: a clear word and nothing stored, or a reading; never a 500."""

import base64
import io
import json
import struct
import time
import tracemalloc
import zlib
from collections.abc import Callable
from typing import Any

import numpy as np
import psutil
import pytest
from django.conf import LazySettings
from django.core.files.uploadedfile import SimpleUploadedFile
from PIL import Image
from rest_framework.test import APIClient

from predictions.stores.sql.models import Picture, Prediction, PredictionDigit
from tests.support.pictures import encode

pytestmark = pytest.mark.django_db
URL = "/api/v1/predictions"
Png = Callable[..., bytes]


def send(api: APIClient, content: bytes, name: str = "picture.png") -> Any:
    return api.post(URL, {"file": SimpleUploadedFile(name, content)}, format="multipart")


def post_raw(api: APIClient, body: Any, content_type: str, **extra: Any) -> Any:
    return api.generic("POST", URL, body, content_type=content_type, **extra)


def assert_refused(response: Any, status: int, code: str) -> str:
    assert response.status_code == status, response.content
    error = response.json()["error"]
    assert set(response.json()) == {"error"}
    assert error["code"] == code
    assert error["message"].endswith(".")
    assert not Prediction.objects.exists()
    assert not PredictionDigit.objects.exists()
    assert not Picture.objects.exists()
    return str(error["message"])


def assert_blank(response: Any) -> None:
    assert response.status_code == 201, response.content
    body = response.json()
    assert (body["text"], body["lines"], body["digits"]) == ("", [], [])
    assert (body["confidence"], body["margin"]) == (None, None)
    assert body["status"] == "unreadable"


def drawn(png: Png, digit: str = "7", size: int = 200) -> Image.Image:
    image = Image.open(io.BytesIO(png(digit, size=size)))
    image.load()
    return image


def bomb(width: int = 50_000, height: int = 50_000) -> bytes:
    """A PNG whose head promises a huge picture."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return (
            struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
        )

    head = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(b"\0" * 99))


# --- Refused ------------------------------------------------------------------------------------


def test_no_file(api: APIClient) -> None:
    assert_refused(api.post(URL, {}, format="multipart"), 400, "no_file")


def test_a_text_field_is_not_a_file(api: APIClient) -> None:
    assert_refused(api.post(URL, {"file": "seven"}, format="multipart"), 400, "no_file")


def test_an_empty_file(api: APIClient) -> None:
    assert_refused(send(api, b""), 400, "empty_file")


def test_text_that_calls_itself_a_png(api: APIClient) -> None:
    message = assert_refused(send(api, b"just some words\n" * 20), 415, "unsupported_format")
    assert "PNG" in message


@pytest.mark.parametrize("ending", [".png", ".jpg"])
@pytest.mark.parametrize("share", [0.1, 0.5, 0.95])
def test_a_truncated_picture(api: APIClient, png: Png, ending: str, share: float) -> None:
    content = png("7", ending)
    cut = content[: int(len(content) * share)]
    assert_refused(send(api, cut, f"cut{ending}"), 400, "broken_file")


def test_a_decompression_bomb(api: APIClient) -> None:
    assert_refused(send(api, bomb()), 413, "too_many_pixels")


def test_more_pixels_than_allowed(api: APIClient, settings: LazySettings) -> None:
    content = encode(Image.new("1", (8001, 8000), 1))
    assert len(content) < 100_000
    assert settings.MAX_PIXELS == 64_000_000
    message = assert_refused(send(api, content), 413, "too_many_pixels")
    assert "64" in message


def test_two_files(api: APIClient, png: Png) -> None:
    files = [SimpleUploadedFile("a.png", png("1")), SimpleUploadedFile("b.png", png("2"))]
    response = api.post(URL, {"file": files}, format="multipart")
    assert_refused(response, 400, "too_many_files")


def test_a_wrong_field_name(api: APIClient, png: Png) -> None:
    content = SimpleUploadedFile("a.png", png("1"))
    response = api.post(URL, {"picture": content}, format="multipart")
    message = assert_refused(response, 400, "wrong_field")
    assert "picture" in message
    assert "file" in message


@pytest.mark.parametrize(
    "body",
    [
        "",
        "nonsense",
        "null",
        "[]",
        "7",
        '"image"',
        "{}",
        '{"image": 7}',
        '{"image": null}',
        '{"image": ""}',
        '{"image": ["a"]}',
        '{"pixels": null}',
        '{"image": "aaaa", "pixels": []}',
        "[" * 9_000,
        '{"pixels": ' + "[" * 9_000,
        '{"image": "\\ud800"}',
        b"\xff\xfe{}",
        '{"store": false}',
    ],
)
def test_json_of_a_wrong_shape(api: APIClient, body: str | bytes) -> None:
    response = post_raw(api, body, "application/json")
    assert response.status_code == 400, response.content
    assert set(response.json()["error"]) == {"code", "message"}
    assert not Prediction.objects.exists()


@pytest.mark.parametrize("charset", ["hex", "zlib", "utf-7", "nothing", "utf-16"])
def test_json_under_an_odd_charset_is_still_utf_8(api: APIClient, png: Png, charset: str) -> None:
    body = json.dumps({"image": base64.b64encode(png("7")).decode()})
    response = post_raw(api, body, f"application/json; charset={charset}")
    assert response.status_code == 201


def test_something_that_is_not_base64(api: APIClient) -> None:
    assert_refused(api.post(URL, {"image": "***"}), 400, "wrong_base64")
    assert_refused(api.post(URL, {"image": "abcde"}), 400, "wrong_base64")
    assert_refused(api.post(URL, {"image": "ä" * 8}), 400, "wrong_base64")


def test_base64_of_something_that_is_no_picture(api: APIClient) -> None:
    image = base64.b64encode(b"just some words").decode()
    assert_refused(api.post(URL, {"image": image}), 415, "unsupported_format")


@pytest.mark.parametrize(
    "body",
    [
        '{"image": "aaaa", "source": "\\ud800"}',
        '{"image": "aaaa", "\\udc00": 1}',
        '{"pixels": [["\\ud800"]]}',
        b'{"image": "aaaa", "source": "\xed\xa0\x80"}',
    ],
)
def test_half_a_surrogate_pair_is_no_text(api: APIClient, body: str | bytes) -> None:
    assert_refused(post_raw(api, body, "application/json"), 400, "parse_error")


def test_a_whole_surrogate_pair_is_a_character(api: APIClient) -> None:
    body = '{"image": "aaaa", "source": "\\ud83d\\ude00"}'
    assert_refused(post_raw(api, body, "application/json"), 400, "invalid")


@pytest.mark.parametrize("item", ["[]", "{}", "0", '""'])
def test_json_of_many_values_is_refused_before_it_is_parsed(api: APIClient, item: str) -> None:
    body = f'{{"pixels": [{",".join([item] * 5_000_000)}]}}'
    before = psutil.Process().memory_info().rss
    started = time.process_time()
    assert_refused(post_raw(api, body, "application/json"), 413, "too_large")
    assert time.process_time() - started < 1
    assert psutil.Process().memory_info().rss - before < 100_000_000


@pytest.mark.parametrize("nested", ["[" * 900 + "]" * 900, '{"a":' * 900 + "1" + "}" * 900])
def test_json_of_many_lists_in_lists_is_refused_before_it_is_parsed(
    api: APIClient, nested: str
) -> None:
    body = f'{{"pixels": [{",".join([nested] * 1000)}]}}'
    started = time.process_time()
    assert_refused(post_raw(api, body, "application/json"), 413, "too_large")
    assert time.process_time() - started < 0.5


def test_base64_of_blanks_takes_no_more_than_its_size(api: APIClient) -> None:
    body = f'{{"image": "{"aa " * 4_000_000}"}}'
    tracemalloc.start()
    response = post_raw(api, body, "application/json")
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert response.status_code == 415
    assert peak < 10 * len(body)


def test_a_wrong_source_is_not_sent_back(api: APIClient) -> None:
    response = api.post(URL, {"image": "aaaa", "source": "x" * 1_000_000})
    message = assert_refused(response, 400, "invalid")
    assert "canvas" in message
    assert len(message) < 200


GOOD_ROW = "[" + ",".join(["0"] * 28) + "]"


@pytest.mark.parametrize(
    "pixels",
    [
        "[]",
        "[[]]",
        "7",
        '"pixels"',
        "{}",
        f"[{','.join([GOOD_ROW] * 27)}]",
        f"[{','.join([GOOD_ROW] * 29)}]",
        f"[{','.join([GOOD_ROW] * 27)}, [1, 2]]",
        f"[{','.join([GOOD_ROW] * 27)}, 7]",
        *(
            f"[{','.join([GOOD_ROW] * 27)}, [{','.join(['0'] * 27)}, {value}]]"
            for value in ("-1", "256", "1e999", "-1e999", '"7"', "null", "true", "[0]", "1" * 400)
        ),
    ],
)
def test_pixels_that_are_none(api: APIClient, pixels: str) -> None:
    response = post_raw(api, f'{{"pixels": {pixels}}}', "application/json")
    assert_refused(response, 400, "wrong_pixels")


@pytest.mark.parametrize("constant", ["NaN", "Infinity", "-Infinity"])
def test_pixels_that_are_no_numbers(api: APIClient, constant: str) -> None:
    row = f"[{','.join(['0'] * 27)}, {constant}]"
    pixels = f'{{"pixels": [{",".join([GOOD_ROW] * 27)}, {row}]}}'
    response = post_raw(api, pixels, "application/json")
    message = assert_refused(response, 400, "parse_error")
    assert constant in message


def test_a_body_over_the_limit_is_refused_unread(api: APIClient, settings: LazySettings) -> None:
    class Unreadable(io.RawIOBase):
        def readinto(self, buffer: Any) -> int:
            raise AssertionError("the body was read")

    response = post_raw(
        api,
        "",
        "application/json",
        CONTENT_LENGTH=str(settings.MAX_BODY_BYTES + 1),
        **{"wsgi.input": Unreadable()},
    )
    assert_refused(response, 413, "too_large")


def test_a_file_over_the_limit(api: APIClient, png: Png, settings: LazySettings) -> None:
    settings.MAX_UPLOAD_BYTES = 1000
    message = assert_refused(send(api, png("7")), 413, "too_large")
    assert "0.001 MB" in message


def test_a_body_that_does_not_say_its_length(api: APIClient) -> None:
    response = post_raw(api, "", "application/json", HTTP_TRANSFER_ENCODING="chunked")
    assert_refused(response, 411, "length_required")


def test_another_content_type(api: APIClient) -> None:
    response = post_raw(api, "<digit/>", "application/xml")
    assert_refused(response, 415, "unsupported_media_type")


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"--x\r\n",
        b"garbage",
        b'--x\r\nContent-Disposition: form-data; name="file"; filename="',
    ],
)
@pytest.mark.parametrize("content_type", ["multipart/form-data", "multipart/form-data; boundary=x"])
def test_a_broken_form(api: APIClient, body: bytes, content_type: str) -> None:
    response = post_raw(api, body, content_type)
    assert response.status_code == 400, response.content
    assert response.json()["error"]["message"]
    assert not Prediction.objects.exists()


@pytest.mark.parametrize("store", ["maybe", "2"])
def test_a_flag_that_is_none(api: APIClient, png: Png, store: str) -> None:
    content = SimpleUploadedFile("a.png", png("1"))
    response = api.post(f"{URL}?store={store}", {"file": content}, format="multipart")
    assert "store" in assert_refused(response, 400, "bad_query")


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("stor=false", "“stor” here; the closest is “store”."),
        ("Store=false", "“Store” here; the closest is “store”."),
        ("keep=no", "There is no parameter “keep” here."),
        ("%00" * 400 + "=1", "There is no parameter"),
    ],
)
def test_a_parameter_that_there_is_not(api: APIClient, png: Png, query: str, words: str) -> None:
    """It might have been meant to keep nothing."""
    files = {"file": SimpleUploadedFile("a.png", png("1"))}
    message = assert_refused(
        api.post(f"{URL}?{query}", files, format="multipart"), 400, "bad_query"
    )
    assert words in message
    assert len(message) < 150


def test_a_batch_cannot_be_read_without_keeping_it(api: APIClient, png: Png) -> None:
    files = {"file": SimpleUploadedFile("a.png", png("1"))}
    response = api.post(f"{URL}/batch?store=false", files, format="multipart")
    assert "store" in assert_refused(response, 400, "bad_query")


@pytest.mark.parametrize("path", [URL, f"{URL}/export"])
def test_a_filter_that_there_is_not(api: APIClient, path: str) -> None:
    response = api.get(f"{path}?format=json&digits=5" if path == URL else f"{path}?digits=5")
    assert "closest is “digit”" in assert_refused(response, 400, "bad_query")


# --- Odd, and read ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "image",
    [
        Image.new("L", (1, 1), 0),
        Image.new("L", (1, 1), 255),
        Image.new("L", (28, 28), 255),
        Image.new("L", (28, 28), 0),
        Image.new("RGB", (640, 480), (200, 180, 140)),
        Image.new("RGBA", (300, 300), (0, 0, 0, 0)),
        Image.new("RGBA", (300, 300), (255, 255, 255, 0)),
        Image.new("LA", (30, 50), (0, 0)),
        Image.new("1", (1, 5000), 1),
        Image.new("L", (5000, 1), 255),
    ],
    ids=lambda image: f"{image.mode}-{image.size}",
)
def test_a_blank_picture_is_no_digit(api: APIClient, image: Image.Image) -> None:
    assert_blank(send(api, encode(image)))


def test_blank_pixels_are_no_digit(api: APIClient) -> None:
    for value in (0, 1, 255):
        assert_blank(api.post(URL, {"pixels": [[value] * 28] * 28}))


def test_twenty_megapixels(api: APIClient, png: Png) -> None:
    big = drawn(png).resize((5000, 4000), Image.Resampling.NEAREST)
    response = send(api, encode(big, "JPEG"), "big.jpg")
    assert response.status_code == 201
    assert response.json()["text"] == "7"
    assert (response.json()["width"], response.json()["height"]) == (5000, 4000)


def test_an_animated_gif_is_read_by_its_first_frame(api: APIClient, png: Png) -> None:
    frames = [drawn(png, digit) for digit in "712"]
    content = encode(frames[0], "GIF", save_all=True, append_images=frames[1:])
    assert send(api, content, "moving.gif").json()["text"] == "7"


@pytest.mark.parametrize(
    ("picture_format", "mode"),
    [
        (picture_format, mode)
        for picture_format, modes in {
            "PNG": ["1", "L", "LA", "P", "RGB", "RGBA", "I;16"],
            "TIFF": ["1", "L", "LA", "P", "PA", "RGB", "RGBA", "I;16", "I", "CMYK"],
            "JPEG": ["L", "RGB", "CMYK"],
            "BMP": ["1", "L", "P", "RGB", "RGBA"],
            "WEBP": ["L", "RGB", "RGBA"],
            "GIF": ["1", "L", "P", "RGB", "RGBA"],
        }.items()
        for mode in modes
    ],
)
def test_every_mode_and_format(api: APIClient, png: Png, picture_format: str, mode: str) -> None:
    image = drawn(png)
    if mode == "I;16":
        image = Image.fromarray(np.asarray(image).astype(np.uint16) * 257)
    elif mode == "PA":
        image = image.convert("RGB").convert("PA")
    else:
        image = image.convert(mode)
    response = send(api, encode(image, picture_format))
    assert response.status_code == 201, response.content
    assert response.json()["text"] == "7"


def test_a_palette_with_transparency(api: APIClient, png: Png) -> None:
    image = drawn(png).convert("RGBA")
    image.putalpha(drawn(png).point(lambda value: 255 - value))  # the ground is transparent
    palette = image.quantize(16)
    assert palette.mode == "P"
    content = encode(palette)
    assert "transparency" in Image.open(io.BytesIO(content)).info
    assert send(api, content).json()["text"] == "7"


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_picture_turned_by_exif(api: APIClient, png: Png, orientation: int) -> None:
    undo = {
        2: Image.Transpose.FLIP_LEFT_RIGHT,
        3: Image.Transpose.ROTATE_180,
        4: Image.Transpose.FLIP_TOP_BOTTOM,
        5: Image.Transpose.TRANSPOSE,
        6: Image.Transpose.ROTATE_90,
        7: Image.Transpose.TRANSVERSE,
        8: Image.Transpose.ROTATE_270,
    }
    upright = drawn(png).crop((0, 0, 200, 180))
    stored = upright.transpose(undo[orientation]) if orientation in undo else upright
    exif = Image.Exif()
    exif[0x0112] = orientation
    body = send(api, encode(stored, "JPEG", exif=exif), "turned.jpg").json()
    assert body["text"] == "7"
    assert (body["width"], body["height"]) == (200, 180)


@pytest.mark.parametrize(
    ("name", "kept"),
    [
        ("../../etc/passwd.png", "passwd.png"),
        ("C:\\Users\\me\\seven.png", "seven.png"),
        ('say "seven".png', 'say "seven".png'),
        ("it's <b>7</b>.png", "b>.png"),
        ("<script>alert(1)<script>.png", "<script>alert(1)<script>.png"),
        ("se\x07ven\x1b[31m.png", "seven[31m.png"),
        ("rtl\u202egnp.exe", "rtlgnp.exe"),
        ("x" * 300 + ".png", "x" * 251 + ".png"),
        ("☃ sieben.png", "☃ sieben.png"),
    ],
)
def test_file_names_are_kept_safe(api: APIClient, png: Png, name: str, kept: str) -> None:
    # Sent as a raw form: clients' own tidying stays out of it.
    quoted = name.replace("\\", "\\\\").replace('"', '\\"')
    body = (
        b'--x\r\nContent-Disposition: form-data; name="file"; filename="'
        + quoted.encode()
        + b'"\r\nContent-Type: image/png\r\n\r\n'
        + png("7")
        + b"\r\n--x--\r\n"
    )
    response = post_raw(api, body, "multipart/form-data; boundary=x")
    assert response.status_code == 201, response.content
    assert response.json()["file_name"] == kept
    assert api.get(response.json()["url"]).json()["file_name"] == kept


def a_form(disposition: str, content: bytes, end: bytes = b"\r\n--x--\r\n") -> bytes:
    return f"--x\r\nContent-Disposition: {disposition}\r\n\r\n".encode() + content + end


def test_a_file_name_in_percent_encoding(api: APIClient, png: Png) -> None:
    # As programs of some years ago send a name that is not ASCII (RFC 8187).
    body = a_form("form-data; name=\"file\"; filename*=UTF-8''sieb%C3%A9n.png", png("7"))
    response = post_raw(api, body, "multipart/form-data; boundary=x")
    assert response.status_code == 201, response.content
    assert response.json()["file_name"] == "siebén.png"


def test_a_form_in_which_no_file_was_chosen(api: APIClient) -> None:
    body = a_form('form-data; name="file"; filename=""', b"")
    assert_refused(post_raw(api, body, "multipart/form-data; boundary=x"), 400, "no_file")


@pytest.mark.parametrize("filename", ["", '; filename="seven.png"'])
def test_a_part_without_a_name(api: APIClient, png: Png, filename: str) -> None:
    response = post_raw(
        api, a_form(f"form-data{filename}", png("7")), "multipart/form-data; boundary=x"
    )
    assert_refused(response, 400, "wrong_field" if filename else "no_file")


def test_a_form_that_was_cut_off(api: APIClient, png: Png) -> None:
    body = a_form('form-data; name="file"; filename="seven.png"', png("7"), end=b"")
    assert_refused(post_raw(api, body, "multipart/form-data; boundary=x"), 400, "parse_error")


def test_a_part_without_a_body(api: APIClient, png: Png) -> None:
    # RFC 2046 allows a head that the next part follows at once.
    body = b'--x\r\nContent-Disposition: form-data; name="note"\r\n\r\n'
    body += a_form('form-data; name="file"; filename="seven.png"', png("7"))
    response = post_raw(api, body, "multipart/form-data; boundary=x")
    assert response.status_code == 201, response.content
