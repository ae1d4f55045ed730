from django.apps.registry import Apps
from django.db import migrations, models
from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.db.models import OuterRef, Subquery, Value
from django.db.models.functions import Coalesce


def fill_created_by(apps: Apps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    """Fill it for what waits; with another store `manage.py rebuildreviewqueue` does."""
    prediction = apps.get_model("predictions", "Prediction")
    sender = prediction.objects.filter(pk=OuterRef("prediction_id")).values("created_by")[:1]
    items = apps.get_model("predictions", "ReviewItem").objects
    items.using(schema_editor.connection.alias).update(
        created_by=Coalesce(Subquery(sender), Value(""))
    )


class Migration(migrations.Migration):
    dependencies = [
        ('predictions', '0017_shadow_and_drift'),
    ]

    operations = [
        migrations.AddField(
            model_name='reviewitem',
            name='created_by',
            field=models.CharField(blank=True, default='', max_length=150),
        ),
        migrations.RunPython(fill_created_by, migrations.RunPython.noop, elidable=False),
    ]
