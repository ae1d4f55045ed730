from collections.abc import Iterable
from itertools import islice
from typing import Any

from django.apps.registry import Apps
from django.db import migrations, models
from django.db.backends.base.schema import BaseDatabaseSchemaEditor

from predictions.core.terms import terms_of_file_name, terms_of_text

BATCH_SIZE = 1_000


def add_terms(apps: Apps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    """Make what is there searchable: a million predictions take some minutes."""
    predictions = apps.get_model("predictions", "Prediction").objects.order_by("pk")
    _insert(
        schema_editor,
        apps.get_model("predictions", "PredictionTerm"),
        (
            (term, pk)
            for pk, text, file_name in predictions.values_list("pk", "text", "file_name").iterator()
            for term in terms_of_text(text) | terms_of_file_name(file_name)
        ),
    )
    corrections = apps.get_model("predictions", "Correction").objects.filter(verdict="text")
    texts: dict[Any, set[str]] = {}
    for pk, text in corrections.values_list("prediction_id", "text").iterator():
        texts.setdefault(pk, set()).update(terms_of_text(text))
    _insert(
        schema_editor,
        apps.get_model("predictions", "CorrectionTerm"),
        ((term, pk) for pk, terms in texts.items() for term in terms),
    )


def _insert(
    schema_editor: BaseDatabaseSchemaEditor, model: Any, rows: Iterable[tuple[str, Any]]
) -> None:
    terms = (model(term=term, prediction_id=pk) for term, pk in rows)
    while batch := list(islice(terms, BATCH_SIZE)):
        model.objects.using(schema_editor.connection.alias).bulk_create(batch)


class Migration(migrations.Migration):
    dependencies = [
        ('predictions', '0011_review_order'),
    ]

    operations = [
        migrations.CreateModel(
            name='PredictionTerm',
            fields=[
                ('pk', models.CompositePrimaryKey('term', 'prediction_id', blank=True, editable=False, primary_key=True, serialize=False)),
                ('term', models.CharField(max_length=34)),
                ('prediction_id', models.UUIDField()),
            ],
            options={
                'default_permissions': (),
            },
        ),
        migrations.CreateModel(
            name='CorrectionTerm',
            fields=[
                ('pk', models.CompositePrimaryKey('term', 'prediction_id', blank=True, editable=False, primary_key=True, serialize=False)),
                ('term', models.CharField(max_length=34)),
                ('prediction_id', models.UUIDField(db_index=True)),
            ],
            options={
                'default_permissions': (),
            },
        ),
        migrations.AddIndex(
            model_name='prediction',
            index=models.Index(fields=['source', '-id'], name='prediction_source'),
        ),
        migrations.AddIndex(
            model_name='prediction',
            index=models.Index(fields=['model_version', '-id'], name='prediction_model_version'),
        ),
        migrations.AddIndex(
            model_name='prediction',
            index=models.Index(condition=models.Q(('created_by__isnull', False)), fields=['created_by', '-id'], name='prediction_created_by'),
        ),
        migrations.RunPython(add_terms, migrations.RunPython.noop, elidable=False),
    ]
