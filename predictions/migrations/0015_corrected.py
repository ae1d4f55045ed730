from itertools import islice

from django.apps.registry import Apps
from django.db import migrations
from django.db.backends.base.schema import BaseDatabaseSchemaEditor

from predictions.core.terms import CORRECTED

BATCH_SIZE = 1_000


def mark_corrected(apps: Apps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    """Make what is corrected already a result of a search for it."""
    correction = apps.get_model("predictions", "Correction")
    term = apps.get_model("predictions", "PredictionTerm")
    prediction = apps.get_model("predictions", "Prediction")
    standing = correction.objects.filter(undoes__isnull=True, undone_by__isnull=True)
    # With another store there are no predictions here.
    here = standing.filter(prediction_id__in=prediction.objects.values("pk"))
    ids = here.values_list("prediction_id", flat=True).distinct().iterator()
    while batch := [term(term=CORRECTED, prediction_id=pk) for pk in islice(ids, BATCH_SIZE)]:
        term.objects.using(schema_editor.connection.alias).bulk_create(batch)


class Migration(migrations.Migration):
    dependencies = [
        ('predictions', '0014_review_reason'),
    ]

    operations = [
        migrations.RunPython(mark_corrected, migrations.RunPython.noop, elidable=False),
    ]
