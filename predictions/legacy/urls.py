from django.urls import path

from predictions.legacy import routes

urlpatterns = [
    path("upload", routes.upload, name="upload"),
    path("predict", routes.predict, name="predict"),
]
