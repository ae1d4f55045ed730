from django.apps.registry import Apps
from django.db import migrations, models
from django.db.backends.base.schema import BaseDatabaseSchemaEditor


def keep_former_names(apps: Apps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    """Keep the names of accounts that are gone, and whose predictions are in SQL."""
    using = schema_editor.connection.alias
    accounts = apps.get_model("auth", "User").objects.using(using).values("username")
    sent = apps.get_model("predictions", "Prediction").objects.using(using)
    names = sent.exclude(created_by=None).exclude(created_by__in=accounts)
    former = apps.get_model("predictions", "FormerName")
    former.objects.using(using).bulk_create(
        former(name=name) for name in names.values_list("created_by", flat=True).distinct()
    )


class Migration(migrations.Migration):
    dependencies = [
        ('auth', '0012_alter_user_first_name_max_length'),
        ('predictions', '0018_reviewitem_created_by'),
    ]

    operations = [
        migrations.CreateModel(
            name='FormerName',
            fields=[
                ('name', models.CharField(max_length=150, primary_key=True, serialize=False)),
            ],
            options={
                'default_permissions': (),
            },
        ),
        migrations.RunPython(keep_former_names, migrations.RunPython.noop, elidable=False),
    ]
