"""Makes the files beside it: five images of 6 x 6 pixels as others keep them. Needs numpy, pillow, lmdb.

Image i has the pixel [row, column] = [40 i + 6 row, 255 - 6 column, 10 (row + column)]; its class is i % 2.
"""

import io
import pathlib
import pickle
import shutil
import zipfile

import lmdb
import numpy
from PIL import Image

here = pathlib.Path(__file__).parent
SIDE = 6
row, column = numpy.mgrid[:SIDE, :SIDE]
images = numpy.stack([
    numpy.stack([40 * i + 6 * row, 255 - 6 * column, 10 * (row + column)], axis=-1).astype(numpy.uint8)
    for i in range(5)
])
labels = numpy.arange(5) % 2


def encoded(image, kind):
    file = io.BytesIO()
    Image.fromarray(image).save(file, kind, **({"lossless": True} if kind == "webp" else {}))
    return file.getvalue()


numpy.savez(here / "plain.npz", images)
numpy.savez_compressed(here / "labelled.npz", images, labels)

with zipfile.ZipFile(here / "classes.zip", "w", zipfile.ZIP_DEFLATED) as archive:
    for i in reversed(range(5)):
        archive.writestr(f"images/{['ant', 'cat'][labels[i]]}/{i}.png", encoded(images[i], "png"))
    archive.writestr("images/README.txt", "not an image")

shutil.rmtree(here / "lsun", ignore_errors=True)
with lmdb.open(str(here / "lsun"), map_size=1 << 20) as environment, environment.begin(write=True) as transaction:
    for i, image in enumerate(images):
        transaction.put(f"{i:040x}".encode(), encoded(image, "webp" if i % 2 else "png"))
(here / "lsun" / "lock.mdb").unlink()

# A batch of CIFAR-10 as Python 3 pickles one today: in two protocols newer than the authors'.
cifar = here / "cifar-10-batches-py"
cifar.mkdir(exist_ok=True)
planes = numpy.arange(3 * 3072).reshape(3, 3072) * 7 % 251
for protocol in [3, 4]:
    batch = {b"batch_label": b"", b"labels": [6, 9, 0], b"data": planes.astype(numpy.uint8), b"filenames": []}
    with open(cifar / f"data_batch_{protocol}", "wb") as file:
        pickle.dump(batch, file, protocol=protocol)
