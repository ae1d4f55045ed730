"""Flask and Keras, as in the usual tutorial: gunicorn -w 2 --threads 4 with_flask_keras:app."""

import numpy as np
from flask import Flask, jsonify, request
from keras import layers, models
from PIL import Image, ImageOps

app = Flask(__name__)
# The tutorial's network, untrained: accuracy is not measured here.
model = models.Sequential(
    [
        layers.Input((28, 28, 1)),
        layers.Conv2D(32, 3, activation="relu"),
        layers.MaxPooling2D(),
        layers.Conv2D(64, 3, activation="relu"),
        layers.MaxPooling2D(),
        layers.Flatten(),
        layers.Dense(10, activation="softmax"),
    ]
)


@app.post("/predict")
def predict():
    image = ImageOps.invert(Image.open(request.files["file"]).convert("L")).resize((28, 28))
    x = np.asarray(image, np.float32)[np.newaxis, :, :, np.newaxis] / 255
    probabilities = model.predict(x, verbose=0)[0]
    digit = int(probabilities.argmax())
    return jsonify(digit=digit, confidence=float(probabilities[digit]))
